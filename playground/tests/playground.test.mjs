import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { browse, opened, serve, text, write } from './page.mjs'

const NET = 'network Net {\n  input 3x32x32\n  conv 8 3x3 same, bn, relu\n  pool avg global, flatten\n  fc 10\n}\n'
let browser, server, url, page

before(async () => {
  browser = await browse()
  ;({ server, url } = await serve())
  page = await opened(browser, url)
})
after(async () => {
  await browser?.close()
  server?.close()
})

test('a network that is typed has its shapes at line ends, and its totals', async () => {
  await write(page, NET)
  await page.waitForFunction(() => document.querySelector('#totals')?.textContent.includes('Net'))
  await page.waitForFunction(() => document.querySelectorAll('.hint').length >= 4)
  const hints = await page.$$eval('.hint', (found) => found.map((each) => each.textContent))
  assert.deepEqual(hints, ['3x32x32', '8x32x32', '8', '10'])
  assert.match(await page.textContent('#totals'), /322 parameters/)
})

test('a mistake is said under the text, and one click mends it', async () => {
  await write(page, NET.replace('relu', 'rleu'))
  await page.waitForSelector('.mistake .fix')
  assert.match(await page.textContent('.mistake'), /there is no layer or block `rleu`/)
  assert.match(await page.textContent('#totals'), /as it was before the mistake/)
  await page.click('.mistake .fix')
  await page.waitForFunction(() => !document.querySelector('.mistake:not(.warning)'))
  assert.match(await text(page), /bn, relu/)
})

test('text, drawing and table choose a layer in one another', async () => {
  await page.click('#tabs button:has-text("Drawing")')
  await page.waitForSelector('.drawing svg')
  await page.click('.drawing [data-layers~="fc"]')
  await page.waitForSelector('.cm-line.marked')
  assert.match(await page.textContent('.cm-line.marked'), /fc 10/)
  await page.click('#tabs button:has-text("Table")')
  await page.waitForSelector('tr.chosen')
  assert.match(await page.textContent('tr.chosen'), /fc 10/)
  await page.click('tr[data-layer="conv"]')
  await page.click('#tabs button:has-text("Explain")')
  await page.waitForSelector('.explained h2')
  assert.match(await page.textContent('.explained'), /conv: conv 8 3x3/)
  await page.click('.cm-line:has-text("fc 10")')
  await page.waitForFunction(() => document.querySelector('.explained h2')?.textContent.startsWith('fc'))
})

test('the emitted module, and the difference from a network of the gallery', async () => {
  await page.click('#tabs button:has-text("Emitted torch")')
  await page.waitForSelector('.code .cm-content')
  assert.match(await page.textContent('.code .cm-content'), /class Net\(nn\.Module\)/)
  await page.click('#tabs button:has-text("Diff")')
  await page.selectOption('.diff select', 'lenet5')
  await page.waitForSelector('.diff pre')
  assert.match(await page.textContent('.diff pre'), /parameters/)
})

test('a network of the gallery, with what it imports', async () => {
  await page.click('#tabs button:has-text("Drawing")')
  await page.fill('#pick', 'resnet50')
  await page.press('#pick', 'Enter')
  await page.waitForFunction(() => document.querySelector('#totals')?.textContent.includes('25,557,032'))
})

test('an address that holds a text opens in a fresh profile', async () => {
  await write(page, NET.replace('Net', 'Linked'))
  await page.waitForFunction(() => document.querySelector('#totals')?.textContent.includes('Linked'))
  await page.click('#share')
  await page.waitForFunction(() => location.hash.startsWith('#spec='))
  const other = await opened(browser, page.url())
  assert.match(await text(other), /network Linked/)
  await other.context().close()
})

test('?spec= names a network, and a damaged address says so', async () => {
  const other = await opened(browser, `${url}?spec=lenet5`)
  await other.waitForFunction(() => document.querySelector('#totals')?.textContent.includes('LeNet'))
  await other.goto('about:blank')
  await other.goto(`${url}#spec=nothing!`)
  await other.waitForSelector('#editor .cm-line')
  await other.context().close()
})

test('keys alone: the tabs', async () => {
  await page.focus('#tabs [aria-selected="true"]')
  await page.keyboard.press('ArrowRight')
  assert.equal(await page.textContent('#tabs [aria-selected="true"]'), 'Table')
})

test('nothing of a spec becomes HTML', async () => {
  const evil = 'network N {\n  input 3x8x8\n  "<img src=x onerror=alert(1)>": conv 8\n  conv <b>8</b>\n}\n'
  await write(page, evil)
  await page.waitForSelector('.mistake')
  assert.equal(await page.$('#mistakes img, #mistakes b, #view img'), null)
})

test('ten thousand layers stay usable', async () => {
  const block = 'block b { ' + 'conv 8 3x3 same, relu\n'.repeat(50) + '}\n'
  await write(page, block + 'network Long {\n  input 8x8x8\n  repeat 100 { b }\n}\n')
  const long = () => document.querySelector('#totals')?.textContent.includes('10,000')
  await page.waitForFunction(long, undefined, { timeout: 60_000 })
  await page.keyboard.type('# typed')
  await page.waitForFunction(() => document.querySelector('#editor').textContent.includes('# typed'))
})

test('a text that keeps the compiler busy ends it, and the page goes on', async () => {
  await write(page, NET)
  await page.evaluate(() => window.dispatchEvent(new Event('dotcnn-restart')))
  await page.waitForFunction(() => document.querySelector('#said').textContent.includes('starts again'))
  await page.waitForFunction(() => document.querySelector('#said').textContent === '', undefined, { timeout: 60_000 })
  await write(page, NET.replace('Net', 'Again'))
  await page.waitForFunction(() => document.querySelector('#totals')?.textContent.includes('Again'))
})

test('a phone, and the dark', async () => {
  const phone = await opened(browser, url, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth > innerWidth)
  assert.equal(wide, false)
  const ground = await phone.evaluate(() => getComputedStyle(document.body).backgroundColor)
  assert.equal(ground, 'rgb(22, 24, 29)')
  await phone.context().close()
})

test('axe finds nothing serious', async () => {
  const source = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
  for (const colorScheme of ['light', 'dark']) {
    const other = await opened(browser, url, { colorScheme, bypassCSP: true })
    await other.addScriptTag({ content: source })
    const { violations } = await other.evaluate(() => axe.run())
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    const said = serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)
    assert.deepEqual(said, [])
    await other.context().close()
  }
})

test('it asks its own folder alone, and nothing went wrong', () => {
  assert.deepEqual(page.asked.filter((each) => !each.startsWith(url)), [])
  assert.deepEqual(page.wrong, [])
})
