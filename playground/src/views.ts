// The right side: drawing, table, emitted module, arithmetic, differences. All text goes in as text.

import { EditorState } from '@codemirror/state'
import { EditorView } from '@codemirror/view'
import { basicSetup } from 'codemirror'
import { colors } from './spec'
import { python } from '@codemirror/lang-python'

export interface Row {
  cells: string[]
  layer: string
  aux: boolean
  line: number | null
}
export interface Preview {
  version: number
  current: boolean
  name: string
  facts: [string, string, string][]
  table?: { columns: string[]; rows: Row[]; left_out: number }
  drawing?: { svg?: string; why_not?: string }
  emitted?: string
}
export interface Explained {
  layer: string
  title: string
  lines: [string, string][]
  line: number | null
  same_line: string[]
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text = '',
  css = '',
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  if (text) made.textContent = text
  if (css) made.className = css
  return made
}

export function table(preview: Preview, choose: (layer: string) => void): HTMLElement {
  const { columns, rows, left_out } = preview.table!
  const made = element('table')
  const head = made.createTHead().insertRow()
  columns.forEach((name, n) => head.append(element('th', name, n > 2 ? 'number' : '')))
  const body = made.createTBody()
  for (const row of rows) {
    const line = body.insertRow()
    line.dataset.layer = row.layer
    line.tabIndex = 0
    if (row.aux) line.className = 'aux'
    row.cells.forEach((cell, n) => line.append(element('td', cell, n > 2 ? 'number' : '')))
    line.onclick = () => choose(row.layer)
    line.onkeydown = (event) => event.key === 'Enter' && choose(row.layer)
  }
  const around = element('div', '', 'wide')
  around.append(made)
  if (left_out) around.append(element('p', `${left_out.toLocaleString('en')} more layers.`))
  return around
}

/** A drawing turns dark with the system; in an editor, with the editor. */
function inTheme(svg: string): string {
  const { classList } = document.body
  const dark = classList.contains('vscode-dark') || classList.contains('vscode-high-contrast')
  if (!dark && !classList.contains('vscode-light')) return svg
  return svg.replaceAll(/@media ?\(prefers-color-scheme: ?dark\)/g, dark ? '@media all' : '@media not all')
}

export function drawing(
  preview: Preview,
  choose: (layer: string) => void,
  unfold: (part: string) => void,
): HTMLElement {
  const around = element('div', '', 'drawing')
  const { svg, why_not } = preview.drawing!
  if (!svg) {
    around.append(element('p', why_not ?? ''))
    return around
  }
  // Read as XML: nothing in it runs.
  const parsed = new DOMParser().parseFromString(inTheme(svg), 'image/svg+xml').documentElement
  for (const bad of parsed.querySelectorAll('script, foreignObject')) bad.remove()
  const drawn = document.importNode(parsed, true) as unknown as SVGSVGElement
  for (const box of drawn.querySelectorAll<SVGElement>('[data-layers]')) {
    box.setAttribute('role', 'button')
    box.setAttribute('tabindex', '0')
  }
  const act = (target: EventTarget | null) => {
    const part = (target as Element).closest<SVGElement>('[data-part]')
    const box = (target as Element).closest<SVGElement>('[data-layers]')
    if (part?.dataset.part) unfold(part.dataset.part)
    else if (box?.dataset.layers) choose(box.dataset.layers.split(' ')[0])
  }
  drawn.addEventListener('click', (event) => act(event.target))
  drawn.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      act(event.target)
    }
  })
  around.append(drawn)
  return around
}

export function mark(view: HTMLElement, layers: ReadonlySet<string>, scroll: boolean) {
  let first: Element | null = null
  for (const row of view.querySelectorAll<HTMLElement>('tr[data-layer]')) {
    const chosen = layers.has(row.dataset.layer!)
    row.classList.toggle('chosen', chosen)
    if (chosen) first ??= row
  }
  for (const box of view.querySelectorAll<SVGElement>('[data-layers]')) {
    const chosen = box.dataset.layers!.split(' ').some((layer) => layers.has(layer))
    box.classList.toggle('chosen', chosen)
    if (chosen) first ??= box
  }
  if (scroll) first?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
}

export function emitted(preview: Preview): HTMLElement {
  const around = element('div', '', 'code')
  const copy = element('button', 'Copy')
  copy.onclick = async () => {
    await navigator.clipboard.writeText(preview.emitted ?? '')
    copy.textContent = 'Copied'
  }
  around.append(copy)
  new EditorView({
    parent: around,
    state: EditorState.create({
      doc: preview.emitted,
      extensions: [
        basicSetup,
        python(),
        colors,
        EditorState.readOnly.of(true),
        EditorView.contentAttributes.of({ 'aria-label': 'Emitted module' }),
      ],
    }),
  })
  return around
}

export function explained(found: Explained | null): HTMLElement {
  const around = element('div', '', 'explained')
  if (!found) {
    around.append(element('p', 'Click a layer in the text, the drawing or the table.'))
    return around
  }
  around.append(element('h2', `${found.layer}: ${found.title}`))
  const list = element('dl')
  for (const [name, text] of found.lines) list.append(element('dt', name), element('dd', text))
  around.append(list)
  const others = found.same_line.length - 1
  if (others > 0)
    around.append(element('p', `The same line makes ${others} more layer${others > 1 ? 's' : ''}.`))
  return around
}
