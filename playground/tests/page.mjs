// The built page in Chromium, served from a folder of static files.

import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const DIST = fileURLToPath(new URL('../dist', import.meta.url))
const TYPES = {
  '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
  '.wasm': 'application/wasm', '.json': 'application/json', '.svg': 'image/svg+xml',
}
const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
)

export async function serve(folder = DIST) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, 'http://x').pathname)
    try {
      const file = join(folder, path === '/' ? 'index.html' : path)
      const data = await readFile(file)
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' })
      response.end(data)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  return { server, url: `http://127.0.0.1:${server.address().port}/` }
}

export async function browse() {
  if (!CHROMIUM) throw new Error('Chromium is not installed: apt-get install chromium')
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
}

/** A page whose requests and errors are collected. */
export async function watched(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  page.wrong = []
  page.asked = []
  page.on('pageerror', (error) => page.wrong.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && page.wrong.push(message.text()))
  page.on('request', (request) => page.asked.push(request.url()))
  return page
}

/** A page that has shown its first network. */
export async function opened(browser, url, options = {}) {
  const page = await watched(browser, options)
  const begun = Date.now()
  await page.goto(url)
  await page.waitForSelector('.drawing svg', { timeout: 120_000 })
  page.started = Date.now() - begun
  return page
}

/** Replaces the whole text, as somebody who pastes. */
export async function write(page, text) {
  await page.click('#editor .cm-content')
  await page.keyboard.press('ControlOrMeta+A')
  await page.keyboard.insertText(text)
}

export const text = (page) =>
  page.$$eval('#editor .cm-line', (lines) =>
    lines
      .map((line) => {
        const copy = line.cloneNode(true)
        copy.querySelectorAll('.hint').forEach((hint) => hint.remove())
        return copy.textContent
      })
      .join('\n'),
  )
