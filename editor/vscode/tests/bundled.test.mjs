// The copy of the language server that travels with the extension answers, with a bare Python.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const bundled = fileURLToPath(new URL('../bundled', import.meta.url))

test('the bundled server', { skip: !existsSync(bundled) && 'not built' }, async () => {
  const start = 'from dotcnn.editor.server.language_server import make_server; make_server().start_io()'
  const python = process.env.PYTHON ?? 'python3'
  const env = { ...process.env, PYTHONPATH: bundled }
  const server = spawn(python, ['-S', '-c', start], { env }) // -S: no library but what was bundled
  let said = ''
  server.stdout.on('data', (data) => (said += data))
  const params = { processId: null, rootUri: null, capabilities: {} }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
  server.stdin.write(`Content-Length: ${body.length}\r\n\r\n${body}`)
  for (let n = 0; n < 400 && !said.includes('inlayHintProvider'); n++)
    await new Promise((done) => setTimeout(done, 50))
  server.kill()
  assert.match(said, /"inlayHintProvider"/)
})
