// The page for everybody: checked by axe in both themes and in every state, used by keys alone, on a phone.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import { browsers } from './harness.mjs'
import { openPage } from './support/page.mjs'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

for (const browser of browsers) {
  describe(`access in ${browser.name}`, { skip: browser.missing }, () => {
    let t
    before(async () => {
      t = await openPage(browser, { chat: true, knobs: { maxTokens: 30 } })
      await t.page.evaluate(source => { (0, eval)(source) }, axe)
    })
    after(() => t?.close())

    /** Serious and critical findings of axe, as lines. */
    const findings = () => t.page.evaluate(async () => {
      // Transitions have to end: colours in between are nobody's choice.
      await Promise.all(document.getAnimations().filter(({ effect }) => effect.getTiming().iterations !== Infinity).map(({ finished }) => finished.catch(() => {})))
      const { violations } = await window.axe.run(document, { resultTypes: ['violations'] })
      return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.target.join(' ')} ${node.any[0]?.message ?? ''}`))
    })
    const focused = () => t.page.evaluate(() => document.activeElement?.dataset.testid ?? document.activeElement?.id ?? '')

    const states = {
      'an empty conversation': async () => t.click('new'),
      'a conversation with branches': async () => {
        await t.say('Once upon a time')
        await t.run(() => t.press('turn-again', -1))
      },
      'a message being edited': async () => t.press('turn-edit', 0),
      'settings and the live view': async () => {
        await t.press('edit-cancel')
        await t.click('live-toggle')
        await t.click('open-settings')
      },
      'the model manager': async () => {
        await t.click('close-settings')
        await t.click('open-picker')
        await t.page.waitFor(() => document.getElementById('storage').textContent)
      },
      'the menu of a conversation': async () => {
        await t.click('close-picker')
        await t.press('entry-more')
      },
      'the list of keys': async () => {
        await t.page.press('Escape')
        await t.click('open-keys')
      },
      'an error': async () => {
        await t.page.press('Escape')
        await t.page.evaluate(() => {
          const files = new DataTransfer()
          files.items.add(new File(['nothing'], 'nothing.json'))
          const input = document.querySelector('[data-testid="import-file"]')
          input.files = files.files
          input.dispatchEvent(new Event('change'))
        })
        await t.page.waitFor(() => !document.getElementById('notice').hidden)
      },
      'a manuscript': async () => {
        await t.click('error-close')
        await t.click('new')
        await t.press('kind-story')
        await t.run(() => t.press('starter'))
      },
    }
    for (const [name, reach] of Object.entries(states)) {
      it(`axe finds nothing serious in ${name}, light and dark`, async () => {
        await reach()
        assert.deepEqual(await findings(), [])
        await t.press('theme')
        assert.deepEqual(await findings(), [])
        await t.press('theme')
      })
    }

    it('has a name for everything that can be pressed or filled in', async () => {
      const nameless = await t.page.evaluate(() => [...document.querySelectorAll('button, input, textarea, [role=textbox]')]
        .filter(one => one.checkVisibility() && !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length ||
          one.getAttribute('aria-labelledby')))
        .map(one => one.outerHTML.slice(0, 80)))
      assert.deepEqual(nameless, [])
    })

    it('is used by keys alone', async () => {
      await t.page.evaluate(() => document.body.focus())
      await t.page.raw.keyboard.down('Control')
      await t.page.raw.keyboard.down('Shift')
      await t.page.press('o')
      await t.page.raw.keyboard.up('Shift')
      await t.page.raw.keyboard.up('Control')
      assert.equal(await focused(), 'message')
      await t.page.raw.keyboard.type('Once')
      await t.run(() => t.page.press('Enter'))
      assert.equal((await t.turns()).length, 2)

      // Back from the line to the tools of the answer, and to the menu of the conversation.
      await t.page.evaluate(() => document.querySelector('[data-testid="entry-more"]').focus())
      await t.page.press('Enter')
      assert.equal(await focused(), 'menu-rename')
      await t.page.press('ArrowDown')
      assert.equal(await focused(), 'menu-export')
      await t.page.press('Escape')
      assert.equal(await focused(), 'entry-more')

      await t.page.press('/')
      assert.equal(await focused(), 'message')
      await t.page.raw.keyboard.down('Control')
      await t.page.press('k')
      await t.page.raw.keyboard.up('Control')
      assert.equal(await focused(), 'search')
    })

    it('tells screen readers politely what happens', async () => {
      assert.match(await t.textOf('announcer'), /token(s)? written/)
      assert.equal(await t.page.evaluate(() => document.getElementById('announcer').getAttribute('aria-live')), 'polite')
    })

    it('fits a phone without scrolling sideways, with the list and the settings as drawers', async () => {
      for (const width of [390, 360]) {
        await t.page.setViewport(width, 844)
        await t.page.waitFor(() => !document.documentElement.hasAttribute('data-side'))
        for (const drawer of [null, 'open-side', 'open-settings']) {
          if (drawer) {
            await t.click(drawer)
            assert.equal(await t.page.evaluate(() => document.querySelector('.desk').inert), true)
          }
          const [content, room] = await t.page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth])
          assert.ok(content <= room, `${content} pixels of content in ${room}`)
          // What is wider than the screen inside an area of its own counts as well, save the row of starters.
          const wide = await t.page.evaluate(() => [...document.querySelectorAll('.desk, .dock, .strip, .side, .panel, .actions, .bar, .turns, .live')]
            .filter(part => part.scrollWidth > part.clientWidth + 1).map(part => part.className))
          assert.deepEqual(wide, [])
          if (drawer) {
            assert.deepEqual(await findings(), [])
            await t.page.press('Escape')
            assert.equal(await focused(), drawer)
            assert.equal(await t.page.evaluate(() => document.querySelector('.desk').inert), false)
          }
        }
        const small = await t.page.evaluate(() => [...document.querySelectorAll('button')]
          .filter(one => one.checkVisibility() && !one.classList.contains('link') && Math.min(one.offsetWidth, one.offsetHeight) < 36)
          .map(one => `${one.getAttribute('aria-label') ?? one.textContent} ${one.offsetWidth}x${one.offsetHeight}`))
        assert.deepEqual(small, [], 'large enough for fingers')
      }
      await t.page.setViewport(1280, 800)
    })

    it('moves nothing for those who prefer that', { skip: browser.name !== 'chromium' && 'the driver cannot ask for it' }, async () => {
      await t.page.raw.emulateMedia({ reducedMotion: 'reduce' })
      await t.click('open-picker')
      await t.click('close-picker')
      await t.say('Once more')
      assert.deepEqual(await t.page.evaluate(() => document.getAnimations().map(({ animationName, transitionProperty }) => animationName ?? transitionProperty)), [])
      await t.page.raw.emulateMedia({ reducedMotion: null })
    })

    it('had no error of its own', () => t.noErrors())
  })
}
