// Runs before the first paint, so that a reader who chose the other colours never sees a flash of these, and that
// nothing moves when the side list comes.
(function () {
  var chosen = null
  try { chosen = localStorage.getItem('itera.theme') } catch (e) { /* storage may be refused: follow the system */ }
  var dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
  var side = null
  try { side = localStorage.getItem('itera.side') } catch (e) { /* as on a first visit */ }
  if (side !== 'false' && !matchMedia('(max-width: 60rem)').matches) document.documentElement.setAttribute('data-side', '')
})()
