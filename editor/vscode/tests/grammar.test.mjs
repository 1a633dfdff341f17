// The TextMate grammar colors the whole gallery as the language's own lexer reads it.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import onig from 'vscode-oniguruma'
import textmate from 'vscode-textmate'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const PYTHON = process.env.PYTHON ?? here('../../../.venv/bin/python')
const WANTED = {
  COMMENT: /^comment/, STRING: /^string/, KEY: /^variable\.parameter/, SWITCH: /^constant\.language/,
  NUMBER: /^constant\.numeric/, SIZE: /^constant\.numeric/, PERCENT: /^constant\.numeric/,
  FACTOR: /^constant\.numeric/, DURATION: /^constant\.numeric/, FUNCTION_NAME: /^(support\.function|entity\.name)/,
  AND: /^keyword\.operator\.word/, OR: /^keyword\.operator\.word/, NOT: /^keyword\.operator\.word/,
  WORD: /^(support\.type|variable|entity\.name)/, PATH: /^variable/, OUTPUT: /^keyword/,
  COMMA: /^punctuation/, LBRACE: /^punctuation/, RBRACE: /^punctuation/, VBAR: /^punctuation/,
}
for (const word of ['AS', 'BLOCK', 'ELSE', 'FOR', 'IF', 'IMPORT', 'IN', 'LET', 'NETWORK', 'REPEAT'])
  WANTED[word] = /^keyword\.control/

async function grammar() {
  const wasm = readFileSync(here('../node_modules/vscode-oniguruma/release/onig.wasm'))
  await onig.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength))
  const file = here('../syntaxes/cnn.tmLanguage.json')
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (sources) => new onig.OnigScanner(sources),
      createOnigString: (text) => new onig.OnigString(text),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(readFileSync(file, 'utf8'), file),
  })
  return registry.loadGrammar('source.cnn')
}

test('the gallery', async () => {
  const cnn = await grammar()
  const lines = execFileSync(PYTHON, [here('tokens.py')], { maxBuffer: 1 << 28, encoding: 'utf8' })
  let count = 0
  for (const { name, text, tokens } of lines.trim().split('\n').map((line) => JSON.parse(line))) {
    const scopes = []
    let stack = textmate.INITIAL
    let start = 0
    for (const line of text.split('\n')) {
      const found = cnn.tokenizeLine(line, stack)
      for (const each of found.tokens)
        for (let at = each.startIndex; at < Math.min(each.endIndex, line.length); at++)
          scopes[start + at] = each.scopes[1] ?? ''
      stack = found.ruleStack
      start += line.length + 1
    }
    for (const [kind, from] of tokens) {
      const wanted = WANTED[kind]
      if (!wanted) continue
      count++
      const said = `${name}: ${text.slice(from, from + 20)} is ${kind}, and colored ${scopes[from]}`
      assert.match(scopes[from] ?? '', wanted, said)
    }
  }
  assert.ok(count > 10_000)
})
