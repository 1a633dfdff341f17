// The playground within the documentation: `make docs` has to have written build/site.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { browse, serve, watched } from './page.mjs'

const SITE = fileURLToPath(new URL('../../build/site', import.meta.url))
const skip = !existsSync(`${SITE}/playground/index.html`) && 'the site is not built'
let browser, server, url

before(async () => {
  browser = await browse()
  ;({ server, url } = await serve(SITE))
})
after(async () => {
  await browser?.close()
  server?.close()
})

const totals = (frame, pattern) => frame.locator('#totals').filter({ hasText: pattern }).waitFor({ timeout: 120_000 })

test('a spec opens in its place, follows what is typed, and closes again', { skip }, async () => {
  const page = await watched(browser)
  await page.goto(`${url}lessons/03-padding-and-stride.html`)
  assert.deepEqual(page.asked.filter((each) => each.includes('playground')), [], 'nothing is loaded before')
  const spec = page.locator('.highlight', { hasText: 'network Padding' })
  await page.click('.try-it')
  const frame = page.frameLocator('.playground iframe')
  await totals(frame, '44,950 parameters')
  assert.equal(await spec.isVisible(), false)
  await frame.locator('.cm-line', { hasText: 'fc 10' }).click()
  await page.keyboard.press('End')
  await page.keyboard.type('0')
  await totals(frame, '221,440 parameters')
  await page.click('.playground button:has-text("Close")')
  assert.equal(await spec.isVisible(), true)
  assert.equal(await page.locator('.try-it').count(), 1)
  assert.deepEqual(page.asked.filter((each) => !each.startsWith(url)), [], 'nothing comes from elsewhere')
  assert.deepEqual(page.wrong, [])
})

test('a mistake of the tutorial is said, and mended by a click', { skip }, async () => {
  const page = await watched(browser, { colorScheme: 'dark' })
  await page.goto(`${url}tutorial/reading-errors.html`)
  await page.click('.try-it >> nth=0')
  const frame = page.frameLocator('.playground iframe')
  await frame.locator('.mistake', { hasText: 'these paths cannot be added' }).waitFor({ timeout: 120_000 })
  const ground = await frame.locator('body').evaluate((body) => getComputedStyle(body).backgroundColor)
  assert.notEqual(ground, 'rgb(255, 255, 255)', 'it is dark where the page is')
  await frame.locator('.mistake .fix').first().click()
  await totals(frame, 'parameters')
  assert.deepEqual(page.wrong, [])
})

test('the page of its own starts at once', { skip }, async () => {
  const page = await watched(browser)
  await page.goto(`${url}playground.html`)
  await totals(page.frameLocator('.playground iframe'), 'parameters')
})

test('opened from a folder, the page says what it needs', { skip }, async () => {
  const page = await watched(browser)
  await page.goto(`file://${SITE}/lessons/03-padding-and-stride.html`)
  await page.click('.try-it')
  assert.match(await page.textContent('.playground'), /http\.server/)
})
