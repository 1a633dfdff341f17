// The same page as `cnn play` serves it, with the compiler behind a socket.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { browse, opened, text, write } from './page.mjs'

const CNN = process.env.CNN ?? fileURLToPath(new URL('../../.venv/bin/cnn', import.meta.url))
const NET = 'network Net {\n  input 3x32x32\n  conv 8 3x3 same\n}\n'
const RED = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAACgAAAAoCAIAAAADnC86AAAAMElEQVR4nO3NAQ0AAAQAMATRP4pYYtjsL/Cc7rhQJ6tYLBaLxWKxWCwWi8VisfhpvDq0AVQi8HWkAAAAAElFTkSuQmCC', 'base64')
let browser, cnn, file, page, address

async function until(condition) {
  for (let n = 0; n < 200; n++) {
    if (await condition()) return
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error('waited in vain')
}

before(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'play-')), 'net.cnn')
  await writeFile(file, NET)
  cnn = spawn(CNN, ['play', file, '--no-browser'])
  let said = ''
  for (const stream of [cnn.stdout, cnn.stderr]) stream.on('data', (data) => (said += data))
  await until(() => /http:\S+/.test(said))
  address = said.match(/http:\S+/)[0]
  browser = await browse()
  page = await opened(browser, address)
})
after(async () => {
  await browser?.close()
  cnn?.kill('SIGINT')
})

test('it shows the file', async () => {
  assert.match(await text(page), /network Net/)
  assert.match(await page.textContent('#totals'), /Net/)
})

test('what is typed is saved', async () => {
  await write(page, NET.replace('conv 8', 'conv 16'))
  await until(async () => (await readFile(file, 'utf8')).includes('conv 16'))
})

test('what another editor saves is shown', async () => {
  await writeFile(file, NET.replace('conv 8', 'conv 24'))
  await page.waitForFunction(() => document.querySelector('#editor').textContent.includes('conv 24'))
  await page.waitForFunction(() => document.querySelector('#totals')?.textContent.includes('672'))
})

test('an image goes through the network', async () => {
  const tab = await page.$('#tabs button:has-text("Show")')
  if (!tab) return // without torch there is none
  await tab.click()
  await page.setInputFiles('.show input', { name: 'red.png', mimeType: 'image/png', buffer: RED })
  const done = () => !document.querySelector('.show p').textContent.includes('…')
  await page.waitForFunction(done, undefined, { timeout: 100_000 })
  assert.equal(await page.textContent('.show p'), 'red.png')
  const frame = await (await page.$('.show iframe')).contentFrame()
  await frame.waitForSelector('option:has-text("conv")', { state: 'attached' })
})

test('without the token nobody is answered', async () => {
  const response = await fetch(address.split('?')[0])
  assert.equal(response.status, 403)
})

test('it asks its own address alone, and nothing went wrong', () => {
  const own = new URL(address).origin
  assert.deepEqual(page.asked.filter((each) => !each.startsWith(own)), [])
  assert.deepEqual(page.wrong, [])
})
