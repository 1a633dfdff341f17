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
import * as views from './views'
import { element, type Explained, type Preview } from './views'
import './style.css'

interface Entry { name: string; family: string; title: string; uri: string }
interface Diagnostic {
  range: { start: Place; end: Place }
  message: string
  severity: number
  code: string
}
interface Place { line: number; character: number }
interface Action { title: string; edit?: { changes: Record<string, { range: Diagnostic['range']; newText: string }[]> } }
type Tab = 'Drawing' | 'Table' | 'Emitted torch' | 'Explain' | 'Diff'

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
const TABS: Tab[] = ['Drawing', 'Table', 'Emitted torch', 'Explain', 'Diff']
const PARTS: Partial<Record<Tab, string>> = { Drawing: 'drawing', Table: 'table', 'Emitted torch': 'emitted' }
const SLOW = 15_000

const byId = (id: string) => document.getElementById(id)!
const [said, mistakes, totals, tabs, view] = ['said', 'mistakes', 'totals', 'tabs', 'view'].map(byId)
const pick = byId('pick') as HTMLInputElement

let editor: EditorView
let tab: Tab = 'Drawing'
let unfolded = ''
let chosen: Explained | null = null
let preview: Preview | null = null
let gallery: Entry[] = []
let uri = 'file:///work/net.cnn'
let compareWith = ''

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
}

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
      if (update.docChanged) keep(update.state.doc.toString())
      if (update.selectionSet && update.view.hasFocus) void chooseAtCursor()
    }),
  ]
}

function open(text: string, at: string) {
  uri = at
  chosen = null
  unfolded = ''
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

let asked = 0
async function refresh() {
  const number = ++asked
  void hints()
  const part = PARTS[tab]
  const parts = part ? [part] : []
  const found = await ask<Preview | null>('dotcnn/preview', { uri, parts, unfold: unfolded })
  if (number !== asked) return
  preview = found
  showTotals()
  await showTab()
}

async function hints() {
  const lines = editor.state.doc.lines
  const found = await ask<Hint[] | null>('textDocument/inlayHint', {
    textDocument: { uri },
    range: { start: { line: 0, character: 0 }, end: { line: lines, character: 0 } },
  })
  showHints(editor, found ?? [])
}

function showTotals() {
  totals.classList.toggle('earlier', preview !== null && !preview.current)
  if (!preview) {
    totals.textContent = ''
    return
  }
  const wanted = ['layers', 'parameters', 'multiply-adds']
  const facts = preview.facts.filter(([name]) => wanted.includes(name))
  totals.replaceChildren(
    element('strong', preview.name),
    ...facts.map(([name, figure]) => element('span', `${figure} ${name}`)),
    ...(preview.current ? [] : [element('em', 'as it was before the mistake')]),
  )
}

async function showTab() {
  for (const button of tabs.querySelectorAll('button')) {
    const own = button.textContent === tab
    button.setAttribute('aria-selected', String(own))
    button.tabIndex = own ? 0 : -1
  }
  const scroll = [view.scrollLeft, view.scrollTop]
  view.setAttribute('aria-label', tab)
  if (tab === 'Explain') view.replaceChildren(views.explained(chosen))
  else if (tab === 'Diff') await showDiff()
  else if (!preview) view.replaceChildren(element('p', 'A network that compiles is shown here.'))
  else if (tab === 'Drawing' && preview.drawing) {
    const drawn = views.drawing(preview, chooseLayer, (part) => {
      unfolded = unfolded === part ? '' : part
      void refresh()
    })
    if (unfolded) {
      const fold = element('button', 'Fold again')
      fold.onclick = () => {
        unfolded = ''
        void refresh()
      }
      drawn.prepend(fold)
    }
    view.replaceChildren(drawn)
  } else if (tab === 'Table' && preview.table) view.replaceChildren(views.table(preview, chooseLayer))
  else if (tab === 'Emitted torch' && preview.emitted !== undefined) view.replaceChildren(views.emitted(preview))
  view.scrollTo(scroll[0], scroll[1])
  markChosen(false)
}

async function showDiff() {
  const around = element('div', '', 'diff')
  const select = element('select')
  select.setAttribute('aria-label', 'Compare with')
  select.append(new Option('Compare with …', ''), ...gallery.map((each) => new Option(each.name, each.name)))
  select.value = compareWith
  select.onchange = () => {
    compareWith = select.value
    void showTab()
  }
  around.append(select)
  view.replaceChildren(around)
  if (!compareWith) return
  const text = await ask<string | null>('dotcnn/diff', { uri, other: compareWith })
  around.append(element('pre', text ?? 'There is no network to compare.'))
}

// ---- one layer, in three places ----------------------------------------------------------------

function markChosen(scroll: boolean) {
  const layers = new Set(chosen ? [chosen.layer, ...chosen.same_line] : [])
  views.mark(view, layers, scroll)
  const lines = chosen?.line != null ? [chosen.line] : []
  editor.dispatch({ effects: setMarkedLines.of(lines) })
}

async function chooseLayer(layer: string) {
  chosen = await ask<Explained | null>('dotcnn/explain', { uri, layer })
  if (chosen?.line != null) {
    const line = editor.state.doc.line(chosen.line + 1)
    editor.dispatch({ effects: EditorView.scrollIntoView(line.from, { y: 'nearest', yMargin: 60 }) })
  }
  markChosen(false)
  if (tab === 'Explain') await showTab()
  else say(chosen ? `${chosen.layer}: ${chosen.title}` : '')
}

async function chooseAtCursor() {
  const head = editor.state.selection.main.head
  const line = editor.state.doc.lineAt(head)
  const position = { line: line.number - 1, character: head - line.from }
  chosen = await ask<Explained | null>('dotcnn/explain', { uri, position })
  markChosen(true)
  if (tab === 'Explain') await showTab()
}

function goTo(line: number, character: number) {
  const at = editor.state.doc.line(line + 1).from + character
  editor.dispatch({ selection: { anchor: at }, scrollIntoView: true })
  editor.focus()
}

// ---- the head of the page ----------------------------------------------------------------------

function makeTabs() {
  for (const name of TABS) {
    const button = element('button', name)
    button.role = 'tab'
    button.setAttribute('aria-controls', 'view')
    button.onclick = () => {
      tab = name
      void refresh()
    }
    button.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
      if (!step) return
      const next = (TABS.indexOf(tab) + step + TABS.length) % TABS.length
      const other = tabs.querySelectorAll('button')[next]
      other.focus()
      other.click()
    }
    tabs.append(button)
  }
}

async function openFromGallery(name: string) {
  const entry = gallery.find((each) => each.name === name)
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
  const own = 'file:///work/net.cnn'
  const link = new URLSearchParams(location.hash.slice(1)).get('spec')
  const linked = link ? await unpacked(link) : null
  if (link && linked === null) say('This address holds no text that can be read')
  let kept: string | null = null
  try {
    kept = sessionStorage.getItem('text')
  } catch {
    // no storage
  }
  return [linked ?? kept ?? FIRST, own]
}

async function main() {
  makeTabs()
  let [text, at] = await firstText()
  client.connect(server.transport)
  if (socket) {
    await client.initializing
    const file = await ask<{ uri: string; name: string; text: string } | null>('dotcnn/playFile', {})
    if (file) {
      ;[text, at] = [file.text, file.uri]
      document.title = file.name
    }
  }
  open(text, at)
  await server.ready
  await client.initializing
  say('')
  gallery = await ask<Entry[]>('dotcnn/gallery', {})
  byId('gallery').replaceChildren(
    ...gallery.map((each) => new Option(`${each.family}: ${each.title}`, each.name)),
  )
  const named = new URLSearchParams(location.search).get('spec')
  if (named && !location.hash) await openFromGallery(named)
}

void main()
