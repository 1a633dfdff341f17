// The page: a text on the left, what it comes to on the right. All three that can be clicked (text,
// drawing, table) choose a layer, and show it in the other two.

import { EditorState, type Extension } from '@codemirror/state'
import { EditorView, keymap } from '@codemirror/view'
import { basicSetup } from 'codemirror'
import { indentWithTab } from '@codemirror/commands'
import {
  LSPClient, formatDocument, formatKeymap, hoverTooltips, jumpToDefinitionKeymap, renameKeymap,
  findReferencesKeymap, serverCompletion, serverDiagnostics, signatureHelp,
} from '@codemirror/lsp-client'
import { cnn, colors, decorated, setMarkedLines, showHints, type Hint } from './spec'
import { behindSocket, inWorker, type Server } from './server'
import { packed, unpacked } from './link'
import { Panel, type Entry } from './panel'
import { showTab } from './show'
import { element } from './views'
import './style.css'

interface Diagnostic {
  range: { start: Place; end: Place }
  message: string
  severity: number
  code: string
}
interface Place { line: number; character: number }
interface Action { title: string; edit?: { changes: Record<string, { range: Diagnostic['range']; newText: string }[]> } }

const FIRST = `# A network is a list of layers. Change one, and see what follows.

block unit(width, stride=1) {
  residual shortcut=auto {
    conv width 3x3 stride=stride same, bn, relu
    conv width 3x3 same, bn
  }
  relu
}

network Small {
  input 3x32x32
  conv 16 3x3 same, bn, relu
  repeat 2 { unit 16 }
  unit 32 stride=2
  repeat 2 { unit 64 stride=2 }
  pool avg global, flatten
  fc 10
}
`
const SLOW = 15_000

/** In a frame of the documentation: its spec comes in the address, and is not kept. */
const embedded = new URLSearchParams(location.search).has('embedded')
document.documentElement.classList.toggle('embedded', embedded)

const byId = (id: string) => document.getElementById(id)!
const [said, mistakes] = ['said', 'mistakes'].map(byId)
const pick = byId('pick') as HTMLInputElement

let editor: EditorView
let uri = 'file:///spec/net.cnn'

const say = (text: string) => (said.textContent = text)

// ---- the server --------------------------------------------------------------------------------

const socket = document.querySelector<HTMLMetaElement>('meta[name="dotcnn-socket"]')?.content
const server: Server = socket
  ? behindSocket(socket, say)
  : inWorker(say, () => say('The compiler was ended: that text took too long. It starts again …'))

const client = new LSPClient({
  timeout: 120_000,
  sanitizeHTML: (html) => {
    // What the server writes is text, code and emphasis.
    const parsed = new DOMParser().parseFromString(html, 'text/html')
    for (const node of [...parsed.body.querySelectorAll('*')])
      if (!['P', 'PRE', 'CODE', 'STRONG', 'EM', 'SPAN', 'BR'].includes(node.tagName)) node.replaceWith(node.textContent ?? '')
      else for (const { name } of [...node.attributes]) if (name !== 'class') node.removeAttribute(name)
    return parsed.body.innerHTML
  },
  notificationHandlers: {
    'textDocument/publishDiagnostics': (_, params) => {
      if (params.uri === uri) {
        showMistakes(params.diagnostics)
        void refresh()
      }
      return false // the editor underlines them, too
    },
    // Of `cnn play`: its file was changed by something else, or cannot be written.
    'dotcnn/text': (_, params) => {
      if (params.uri === uri) {
        const { scrollTop } = editor.scrollDOM
        editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: params.text } })
        editor.scrollDOM.scrollTop = scrollTop
        say('The file was changed outside, and read again')
      }
      return true
    },
    'dotcnn/notWritten': (_, params) => {
      say(`The file cannot be written: ${params.reason}`)
      return true
    },
  },
  extensions: [serverDiagnostics(), serverCompletion(), hoverTooltips(), signatureHelp()],
})

let slow: ReturnType<typeof setTimeout> | undefined
async function ask<T>(method: string, params: unknown): Promise<T> {
  await server.ready()
  clearTimeout(slow)
  slow = setTimeout(restart, SLOW)
  try {
    return await client.request<unknown, T>(method, params)
  } finally {
    clearTimeout(slow)
  }
}

/** A text that keeps the compiler busy ends it; the page stays, and so does the text. */
function restart() {
  if (!server.restart) return
  const text = editor.state.doc.toString()
  client.disconnect()
  server.restart()
  client.connect(server.transport)
  open(text, uri)
  void server.ready().then(() => say(''))
}
addEventListener('dotcnn-restart', restart)

// ---- the text ----------------------------------------------------------------------------------

function extensions(): Extension {
  return [
    basicSetup,
    keymap.of([indentWithTab, ...formatKeymap, ...renameKeymap, ...jumpToDefinitionKeymap, ...findReferencesKeymap]),
    cnn,
    colors,
    decorated,
    client.plugin(uri, 'cnn'),
    EditorView.contentAttributes.of({ 'aria-label': 'Text of the spec' }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) {
        client.sync() // at once: it would wait for half a second
        if (!embedded) keep(update.state.doc.toString())
      }
      if (update.selectionSet && update.view.hasFocus) void chooseAtCursor()
    }),
  ]
}

function open(text: string, at: string) {
  uri = at
  panel.open(at)
  editor?.destroy()
  editor = new EditorView({
    parent: byId('editor'),
    state: EditorState.create({ doc: text, extensions: extensions() }),
  })
}

let keeping: ReturnType<typeof setTimeout> | undefined
function keep(text: string) {
  clearTimeout(keeping)
  keeping = setTimeout(() => {
    try {
      sessionStorage.setItem('text', text)
    } catch {
      // a page without storage forgets the text
    }
  }, 300)
}

// ---- mistakes ----------------------------------------------------------------------------------

function showMistakes(found: Diagnostic[]) {
  mistakes.replaceChildren(
    ...found.map((each) => {
      const row = element('div', '', each.severity === 1 ? 'mistake' : 'mistake warning')
      const [message, ...more] = each.message.split('\n')
      const place = element('button', `line ${each.range.start.line + 1}`, 'place')
      place.onclick = () => goTo(each.range.start.line, each.range.start.character)
      row.append(place, element('span', message))
      for (const line of more) row.append(element('p', line))
      void fixes(each, row)
      return row
    }),
  )
}

async function fixes(each: Diagnostic, row: HTMLElement) {
  const found = await ask<Action[] | null>('textDocument/codeAction', {
    textDocument: { uri },
    range: each.range,
    context: { diagnostics: [] },
  })
  for (const action of (found ?? []).slice(0, 3)) {
    const edits = action.edit?.changes[uri]
    if (!edits || action.title.startsWith('Fix all mistakes')) continue
    const button = element('button', action.title, 'fix')
    button.onclick = () => {
      const doc = editor.state.doc
      const offset = (at: Place) => Math.min(doc.line(at.line + 1).from + at.character, doc.length)
      editor.dispatch({
        changes: edits.map(({ range, newText }) => ({
          from: offset(range.start),
          to: offset(range.end),
          insert: newText,
        })),
      })
      editor.focus()
    }
    row.append(button)
  }
}

// ---- what it comes to --------------------------------------------------------------------------

const panel = new Panel(ask, byId('totals'), byId('tabs'), byId('view'), (chosen, reveal) => {
  editor.dispatch({ effects: setMarkedLines.of(chosen?.line != null ? [chosen.line] : []) })
  if (!reveal) return
  say(chosen ? `${chosen.layer}: ${chosen.title}` : '')
  if (chosen?.line != null) {
    const at = editor.state.doc.line(chosen.line + 1).from
    editor.dispatch({ effects: EditorView.scrollIntoView(at, { y: 'nearest', yMargin: 60 }) })
  }
})

async function refresh() {
  await Promise.all([hints(), panel.refresh()])
}

async function hints() {
  const lines = editor.state.doc.lines
  const found = await ask<Hint[] | null>('textDocument/inlayHint', {
    textDocument: { uri },
    range: { start: { line: 0, character: 0 }, end: { line: lines, character: 0 } },
  })
  showHints(editor, found ?? [])
}

async function chooseAtCursor() {
  const head = editor.state.selection.main.head
  const line = editor.state.doc.lineAt(head)
  await panel.chooseAt({ line: line.number - 1, character: head - line.from })
}

function goTo(line: number, character: number) {
  const at = editor.state.doc.line(line + 1).from + character
  editor.dispatch({ selection: { anchor: at }, scrollIntoView: true })
  editor.focus()
}

// ---- the head of the page ----------------------------------------------------------------------

async function openFromGallery(name: string) {
  const entry = panel.gallery.find((each) => each.name === name)
  if (!entry) {
    say(`The gallery has no ${name}`)
    return
  }
  const text = await ask<string | null>('dotcnn/gallerySpec', { name })
  if (text !== null) open(text, entry.uri)
}

byId('format').onclick = () => {
  formatDocument(editor)
  editor.focus()
}
byId('share').onclick = async () => {
  location.hash = `spec=${await packed(editor.state.doc.toString())}`
  try {
    await navigator.clipboard.writeText(location.href)
    say('The address is copied')
  } catch {
    say('The address of this page holds the text')
  }
}
pick.onchange = () => {
  const name = pick.value.trim()
  if (name) void openFromGallery(name)
  pick.value = ''
}

/** `#spec=…` holds a text, `?spec=resnet50` names one of the gallery. */
async function firstText(): Promise<[string, string]> {
  const own = 'file:///spec/net.cnn'
  const link = new URLSearchParams(location.hash.slice(1)).get('spec')
  const linked = link ? await unpacked(link) : null
  if (link && linked === null) say('This address holds no text that can be read')
  let kept: string | null = null
  try {
    if (!embedded) kept = sessionStorage.getItem('text')
  } catch {
    // no storage
  }
  return [linked ?? kept ?? FIRST, own]
}

async function main() {
  let [text, at] = await firstText()
  client.connect(server.transport)
  if (socket) {
    await client.initializing
    const file = await ask<{ uri: string; name: string; text: string } | null>('dotcnn/playFile', {})
    if (file) {
      ;[text, at] = [file.text, file.uri]
      document.title = file.name
    }
    if (await ask<boolean>('dotcnn/canShow', {})) panel.add({ name: 'Show', view: showTab(ask, () => uri) })
  }
  open(text, at)
  await server.ready()
  await client.initializing
  say('')
  panel.gallery = await ask<Entry[]>('dotcnn/gallery', {})
  byId('gallery').replaceChildren(
    ...panel.gallery.map((each) => new Option(`${each.family}: ${each.title}`, each.name)),
  )
  const named = new URLSearchParams(location.search).get('spec')
  if (named && !location.hash) await openFromGallery(named)
}

void main()
