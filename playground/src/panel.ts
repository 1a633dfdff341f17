// The right side, beside a text: totals, tabs, and the layer that was chosen. The page of the playground
// and the panel in VS Code are both this, with another way to ask the server.

import * as views from './views'
import { element, type Explained, type Preview } from './views'

export interface Entry { name: string; family: string; title: string; uri: string }
type Tab = string
export interface Extra { name: string; view: HTMLElement }
export type Ask = <T>(method: string, params: Record<string, unknown>) => Promise<T>

const TABS: Tab[] = ['Drawing', 'Table', 'Emitted torch', 'Explain', 'Diff']
const PARTS: Record<string, string | undefined> = { Drawing: 'drawing', Table: 'table', 'Emitted torch': 'emitted' }

export class Panel {
  uri = ''
  gallery: Entry[] = []
  private tab: Tab = 'Drawing'
  private unfolded = ''
  private chosen: Explained | null = null
  private preview: Preview | null = null
  private compareWith = ''
  private asked = 0
  private extra: Extra[] = []

  constructor(
    private ask: Ask,
    private totals: HTMLElement,
    private tabs: HTMLElement,
    private view: HTMLElement,
    /** Told which line makes the chosen layer; `reveal` if it was chosen here. */
    private told: (chosen: Explained | null, reveal: boolean) => void,
  ) {
    this.makeTabs()
  }

  /** Another text. */
  open(uri: string) {
    this.uri = uri
    this.chosen = null
    this.unfolded = ''
    this.asked++
  }

  async refresh() {
    const number = ++this.asked
    const part = PARTS[this.tab]
    const found = await this.ask<Preview | null>('dotcnn/preview', {
      uri: this.uri,
      parts: part ? [part] : [],
      unfold: this.unfolded,
    })
    if (number !== this.asked) return
    this.preview = found
    this.showTotals()
    await this.show()
  }

  async chooseAt(position: { line: number; character: number }) {
    this.chosen = await this.ask<Explained | null>('dotcnn/explain', { uri: this.uri, position })
    this.mark(true)
    this.told(this.chosen, false)
    if (this.tab === 'Explain') await this.show()
  }

  private choose = async (layer: string) => {
    this.chosen = await this.ask<Explained | null>('dotcnn/explain', { uri: this.uri, layer })
    this.mark(false)
    this.told(this.chosen, true)
    if (this.tab === 'Explain') await this.show()
  }

  private mark(scroll: boolean) {
    const { chosen } = this
    const layers = new Set(chosen ? [chosen.layer, ...chosen.same_line] : [])
    views.mark(this.view, layers, scroll)
  }

  private showTotals() {
    const { preview, totals } = this
    totals.classList.toggle('earlier', preview !== null && !preview.current)
    if (!preview) {
      totals.textContent = ''
      return
    }
    const wanted = ['layers', 'parameters', 'multiply-adds']
    const facts = preview.facts.filter(([name]) => wanted.includes(name))
    totals.replaceChildren(
      element('strong', preview.name),
      ...facts.map(([name, figure]) => element('span', figure === '1' ? `1 ${name.replace(/s$/, '')}` : `${figure} ${name}`)),
      ...(preview.current ? [] : [element('em', 'as it was before the mistake')]),
    )
  }

  private unfold = (part: string) => {
    this.unfolded = this.unfolded === part ? '' : part
    void this.refresh()
  }

  private async show() {
    const { preview, tab, view } = this
    const scroll = [view.scrollLeft, view.scrollTop]
    const extra = this.extra.find(({ name }) => name === tab)
    if (extra) view.replaceChildren(extra.view)
    else if (tab === 'Explain') view.replaceChildren(views.explained(this.chosen))
    else if (tab === 'Diff') await this.showDiff()
    else if (!preview) view.replaceChildren(element('p', 'A network that compiles is shown here.'))
    else if (tab === 'Drawing' && preview.drawing) {
      const drawn = views.drawing(preview, this.choose, this.unfold)
      if (this.unfolded) {
        const fold = element('button', 'Fold again')
        fold.onclick = () => this.unfold('')
        drawn.prepend(fold)
      }
      view.replaceChildren(drawn)
    } else if (tab === 'Table' && preview.table) view.replaceChildren(views.table(preview, this.choose))
    else if (tab === 'Emitted torch' && preview.emitted !== undefined)
      view.replaceChildren(views.emitted(preview))
    view.scrollTo(scroll[0], scroll[1])
    this.mark(false)
  }

  private async showDiff() {
    const around = element('div', '', 'diff')
    const select = element('select')
    select.setAttribute('aria-label', 'Compare with')
    const names = this.gallery.map((each) => new Option(each.name, each.name))
    select.append(new Option('Compare with …', ''), ...names)
    select.value = this.compareWith
    select.onchange = () => {
      this.compareWith = select.value
      void this.show()
    }
    around.append(select)
    this.view.replaceChildren(around)
    if (!this.compareWith) return
    const params = { uri: this.uri, other: this.compareWith }
    const text = await this.ask<string | null>('dotcnn/diff', params)
    around.append(element('pre', text ?? 'There is no network to compare.'))
  }

  private select() {
    for (const button of this.tabs.querySelectorAll('button')) {
      const own = button.textContent === this.tab
      button.setAttribute('aria-selected', String(own))
      button.tabIndex = own ? 0 : -1
    }
    this.view.setAttribute('aria-label', this.tab)
  }

  /** One more tab, which looks after its own view. */
  add(extra: Extra) {
    this.extra.push(extra)
    this.makeTab(extra.name)
    this.select()
  }

  private makeTabs() {
    for (const name of TABS) this.makeTab(name)
    this.select()
  }

  private makeTab(name: Tab) {
    const button = element('button', name)
    button.role = 'tab'
    button.setAttribute('aria-controls', this.view.id)
    button.onclick = () => {
      this.tab = name
      this.select()
      void this.refresh()
    }
    button.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
      if (!step) return
      const all = [...this.tabs.querySelectorAll('button')]
      const other = all[(all.indexOf(button) + step + all.length) % all.length]
      other.focus()
      other.click()
    }
    this.tabs.append(button)
  }
}
