// Colors and shapes in the editor: what the language server says, as decorations.

import { StateEffect, StateField, RangeSetBuilder, type Extension } from '@codemirror/state'
import { Decoration, EditorView, WidgetType, type DecorationSet } from '@codemirror/view'
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from '@codemirror/language'
import { tags } from '@lezer/highlight'

/** Colors until the server has said better: comments, text, numbers, words that begin a line. */
export const cnn = StreamLanguage.define<{ start: boolean }>({
  name: 'cnn',
  startState: () => ({ start: true }),
  token(stream, state) {
    if (stream.sol()) state.start = true
    if (stream.eatSpace()) return null
    if (stream.match(/^#.*/)) return 'comment'
    if (stream.match(/^"(?:\\.|[^"\\])*"?/)) return 'string'
    if (stream.match(/^(?:block|network|repeat|for|if|else|let|import|in|as|and|or|not)\b/)) {
      state.start = false
      return 'keyword'
    }
    if (stream.match(/^[0-9][0-9.x%e]*/)) return 'number'
    if (stream.match(/^(?:on|off)\b/)) return 'bool'
    if (stream.match(/^[A-Za-z_]\w*(?=\s*:)/)) return 'labelName'
    if (stream.match(/^[A-Za-z_]\w*(?==)/)) {
      state.start = false
      return 'propertyName'
    }
    if (stream.match(/^[A-Za-z_][\w.]*/)) {
      const first = state.start
      state.start = false
      return first ? 'typeName' : 'variableName'
    }
    const sign = stream.next()
    if (sign && '{|,:'.includes(sign)) state.start = true
    return null
  },
  languageData: { commentTokens: { line: '#' } },
})

export interface Hint {
  position: { line: number; character: number }
  label: string
  kind?: number
  tooltip?: string
}

class Shape extends WidgetType {
  constructor(
    readonly text: string,
    readonly name: boolean,
    readonly about: string,
  ) {
    super()
  }
  eq(other: Shape) {
    return other.text === this.text && other.name === this.name
  }
  toDOM() {
    const made = document.createElement('span')
    made.className = this.name ? 'hint name' : 'hint'
    made.textContent = this.text
    made.title = this.about
    return made
  }
}

const setHints = StateEffect.define<Hint[]>()
export const setMarkedLines = StateEffect.define<number[]>()

const hintField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(value, transaction) {
    value = value.map(transaction.changes)
    for (const effect of transaction.effects)
      if (effect.is(setHints)) {
        const doc = transaction.state.doc
        const found = effect.value
          .filter((hint) => hint.position.line < doc.lines)
          .map((hint) => {
            const line = doc.line(hint.position.line + 1)
            const at = Math.min(line.from + hint.position.character, line.to)
            const shape = new Shape(hint.label, hint.kind === 2, hint.tooltip ?? '')
            return Decoration.widget({ widget: shape, side: 1 }).range(at)
          })
        value = Decoration.set(found, true)
      }
    return value
  },
  provide: (field) => EditorView.decorations.from(field),
})

const markField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(value, transaction) {
    value = value.map(transaction.changes)
    for (const effect of transaction.effects)
      if (effect.is(setMarkedLines)) {
        const builder = new RangeSetBuilder<Decoration>()
        for (const line of effect.value)
          if (line < transaction.state.doc.lines) {
            const at = transaction.state.doc.line(line + 1).from
            builder.add(at, at, Decoration.line({ class: 'marked' }))
          }
        value = builder.finish()
      }
    return value
  },
  provide: (field) => EditorView.decorations.from(field),
})

export function showHints(view: EditorView, hints: Hint[]) {
  view.dispatch({ effects: setHints.of(hints) })
}

export const decorated: Extension = [hintField, markField]

// The colors are in style.css, for light and dark.
export const colors = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.comment, color: 'var(--comment)' },
    { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: 'var(--keyword)' },
    { tag: [tags.typeName, tags.className], color: 'var(--layer)' },
    { tag: [tags.number, tags.bool, tags.null], color: 'var(--number)' },
    { tag: tags.string, color: 'var(--string)' },
    { tag: tags.labelName, color: 'var(--label)' },
    { tag: tags.propertyName, color: 'var(--argument)' },
    { tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName))], color: 'var(--layer)' },
  ]),
)
