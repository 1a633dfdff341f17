// The panel beside a text: its page is the right side of the playground; what it asks goes to the server.

import * as vscode from 'vscode'
import { randomBytes } from 'node:crypto'
import type { LanguageClient } from 'vscode-languageclient/node'

interface Message { id?: number; method?: string; params?: Record<string, unknown>; line?: number }

export class NetworkPanel {
  private static current: NetworkPanel | undefined
  private readonly panel: vscode.WebviewPanel
  private readonly ends: vscode.Disposable[] = []

  static show(context: vscode.ExtensionContext, client: LanguageClient, text: vscode.TextEditor) {
    this.current ??= new NetworkPanel(context, client)
    this.current.panel.reveal(vscode.ViewColumn.Beside, true)
    this.current.follow(text)
  }

  private constructor(
    context: vscode.ExtensionContext,
    private readonly client: LanguageClient,
  ) {
    const out = vscode.Uri.joinPath(context.extensionUri, 'out')
    const options = { enableScripts: true, localResourceRoots: [out], retainContextWhenHidden: true }
    const where = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true }
    this.panel = vscode.window.createWebviewPanel('dotcnn', 'Network', where, options)
    this.panel.webview.html = this.page(out)
    this.ends.push(
      this.panel.webview.onDidReceiveMessage((message: Message) => this.receive(message)),
      vscode.window.onDidChangeActiveTextEditor((text) => text && this.follow(text)),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor, kind }) => {
        if (kind !== undefined && textEditor.document.uri.toString() === this.uri) {
          const { line, character } = textEditor.selection.active
          void this.panel.webview.postMessage({ chooseAt: { line, character } })
        }
      }),
      // Mistakes are told when the text has been compiled: then the rest is known, too.
      vscode.languages.onDidChangeDiagnostics(({ uris }) => {
        if (uris.some((uri) => uri.toString() === this.uri)) this.post('refresh')
      }),
    )
    this.panel.onDidDispose(() => {
      NetworkPanel.current = undefined
      for (const each of this.ends) each.dispose()
    })
  }

  private uri = ''

  private follow(text: vscode.TextEditor) {
    if (text.document.languageId !== 'cnn') return
    this.uri = text.document.uri.toString()
    this.panel.title = text.document.uri.path.split('/').pop() ?? 'Network'
    this.post('open')
  }

  private post(what: 'open' | 'refresh') {
    void this.panel.webview.postMessage({ [what]: this.uri })
  }

  private async receive({ id, method, params, line }: Message) {
    if (method === 'ready') {
      this.post('open')
    } else if (line !== undefined) {
      for (const text of vscode.window.visibleTextEditors)
        if (text.document.uri.toString() === this.uri) {
          const start = new vscode.Position(Math.min(line, text.document.lineCount - 1), 0)
          text.selection = new vscode.Selection(start, start)
          text.revealRange(new vscode.Range(start, start), vscode.TextEditorRevealType.InCenterIfOutsideViewport)
        }
    } else if (method?.startsWith('dotcnn/')) {
      const result = await this.client.sendRequest(method, params ?? {}).catch(() => null)
      void this.panel.webview.postMessage({ id, result })
    }
  }

  private page(out: vscode.Uri): string {
    const { webview } = this.panel
    const nonce = randomBytes(16).toString('base64')
    const at = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(out, name)).toString()
    const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src ${webview.cspSource} 'unsafe-inline'; img-src data:`
    return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<link rel="stylesheet" href="${at('panel_page.css')}"><style>
body { padding: 0; }
body.vscode-light { color-scheme: light; }
body.vscode-dark, body.vscode-high-contrast { color-scheme: dark; }
</style><title>Network</title></head>
<body><section id="right"><div id="totals"></div><div role="tablist" id="tabs"></div>
<div id="view" role="tabpanel" tabindex="0"></div></section>
<script nonce="${nonce}" src="${at('panel_page.js')}"></script></body></html>`
  }
}
