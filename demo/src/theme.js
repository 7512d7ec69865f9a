// Dark and light: the system's choice until the reader makes one.
import { byId } from './dom.js'

const system = matchMedia('(prefers-color-scheme: dark)')

/** @param {() => void} changed called after the colours have changed */
export function startTheme(changed) {
  const button = byId('theme')
  const show = (/** @type {string} */ theme) => {
    document.documentElement.dataset.theme = theme
    button.setAttribute('aria-label', theme === 'dark' ? 'Switch to light colours' : 'Switch to dark colours')
    const ground = getComputedStyle(document.documentElement).getPropertyValue('--ground').trim()
    document.querySelector('meta[name="theme-color"]')?.setAttribute('content', ground)
    changed()
  }
  button.addEventListener('click', () => {
    const theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'
    try { localStorage.setItem('itera.theme', theme) } catch { /* lasts as long as the page */ }
    show(theme)
  })
  system.addEventListener('change', () => {
    let chosen = null
    try { chosen = localStorage.getItem('itera.theme') } catch { /* follow the system */ }
    if (!chosen) show(system.matches ? 'dark' : 'light')
  })
  show(document.documentElement.dataset.theme ?? 'light')
}
