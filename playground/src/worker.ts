// The language server in Python, in a thread of its own: a spec that takes long cannot stop the page.

import type { PyodideInterface } from 'pyodide'

const tell = (kind: string, text = '') => postMessage({ kind, text })

async function start() {
  const base = new URL('../python/', self.location.href)
  tell('progress', 'Python is loading …')
  const { loadPyodide } = await import(/* @vite-ignore */ new URL('pyodide.mjs', base).href)
  const archive = fetch(new URL('dotcnn.zip', base)).then((response) => response.arrayBuffer())
  const python: PyodideInterface = await loadPyodide({ indexURL: base.href })
  tell('progress', 'The compiler is starting …')
  python.unpackArchive(new Uint8Array(await archive), 'zip', { extractDir: '/dotcnn' })
  const receive = python.runPython(`
import sys
sys.path.insert(0, "/dotcnn")
from dotcnn.editor.server.in_page import connect
connect
`)((text: string) => tell('message', text))
  self.onmessage = ({ data }) => receive(data)
  tell('ready')
}

start().catch((error) => tell('progress', `The compiler did not start: ${error}`))
