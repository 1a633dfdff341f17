// The extension: starts `cnn lsp` with the workspace's Python, and shows the network beside the text.

import * as vscode from 'vscode'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LanguageClient, type LanguageClientOptions, type ServerOptions } from 'vscode-languageclient/node'
import { NetworkPanel } from './network_panel'

let client: LanguageClient | undefined

export async function activate(context: vscode.ExtensionContext) {
  const register = (name: string, run: (...given: never[]) => unknown) =>
    context.subscriptions.push(vscode.commands.registerCommand(name, run))
  register('dotcnn.restart', restart)
  register('dotcnn.preview', () => {
    const text = vscode.window.activeTextEditor
    if (client && text?.document.languageId === 'cnn') NetworkPanel.show(context, client, text)
  })
  register('dotcnn.check', () => inTerminal('check'))
  register('dotcnn.train', () => inTerminal('train'))
  register('dotcnn.show', chooseImage)
  register('dotcnn.draw', () => beside('draw', '.svg'))
  register('dotcnn.emit', () => beside('emit', '.py'))
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('dotcnn.python')) void restart()
    }),
    vscode.window.onDidChangeTextEditorSelection((event) => {
      if (hints() === 'line' && event.textEditor.document.languageId === 'cnn') hintsChanged.fire()
    }),
  )
  await start()
}

export async function deactivate() {
  await client?.stop()
}

const settings = () => vscode.workspace.getConfiguration('dotcnn')
const hints = () => settings().get<string>('hints', 'all')
const hintsChanged = new vscode.EventEmitter<void>()

/** The Python of the setting, of the Python extension, of the workspace's .venv, or of the path. */
async function python(): Promise<string> {
  const set = settings().get<string>('python')
  if (set) return set
  const extension = vscode.extensions.getExtension('ms-python.python')
  if (extension) {
    const api = extension.isActive ? extension.exports : await extension.activate()
    const path = api?.environments?.getActiveEnvironmentPath?.()?.path
    if (path && existsSync(path)) return path
  }
  for (const folder of vscode.workspace.workspaceFolders ?? [])
    for (const place of ['.venv/bin/python', '.venv/Scripts/python.exe']) {
      const path = join(folder.uri.fsPath, place)
      if (existsSync(path)) return path
    }
  return process.platform === 'win32' ? 'python' : 'python3'
}

async function start() {
  const command = await python()
  const server = await serverOf(command)
  const options: LanguageClientOptions = {
    documentSelector: [{ language: 'cnn' }],
    initializationOptions: { terminal: true },
    middleware: {
      async provideInlayHints(document, range, token, next) {
        if (hints() === 'off') return []
        const found = (await next(document, range, token)) ?? []
        const text = vscode.window.activeTextEditor
        if (hints() !== 'line' || text?.document !== document) return found
        return found.filter((hint) => hint.position.line === text.selection.active.line)
      },
    },
  }
  client = new LanguageClient('dotcnn', 'dotcnn', server, options)
  try {
    await client.start()
  } catch {
    const install = 'Install dotcnn there'
    const chosen = await vscode.window.showErrorMessage(
      `dotcnn: ${command} cannot start the language server. It needs Python 3.11 or newer.`,
      install,
    )
    if (chosen === install) {
      const terminal = vscode.window.createTerminal('dotcnn')
      terminal.show()
      terminal.sendText(`${quoted(command)} -m pip install "dotcnn[editor]"`)
    }
  }
}

/** The server of that Python's own dotcnn; without one, the copy that came with the extension. */
async function serverOf(command: string): Promise<ServerOptions> {
  const own = await new Promise<boolean>((done) =>
    execFile(command, ['-c', 'import dotcnn, pygls'], (error) => done(!error)),
  )
  if (own) return { command, args: ['-m', 'dotcnn', 'lsp'] }
  const start = 'from dotcnn.editor.server.language_server import make_server; make_server().start_io()'
  const env = { ...process.env, PYTHONPATH: join(__dirname, '..', 'bundled') }
  return { command, args: ['-c', start], options: { env } }
}

async function restart() {
  await client?.stop().catch(() => undefined)
  await start()
}

// ---- commands ----------------------------------------------------------------------------------

function quoted(text: string) {
  return /^[\w./\\:-]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`
}

async function saved(): Promise<vscode.TextDocument | undefined> {
  const document = vscode.window.activeTextEditor?.document
  if (document?.languageId !== 'cnn') return undefined
  await document.save()
  return document.isUntitled ? undefined : document
}

async function inTerminal(command: string, ...more: string[]) {
  const document = await saved()
  if (!document) return
  const terminal =
    vscode.window.terminals.find((each) => each.name === 'dotcnn') ?? vscode.window.createTerminal('dotcnn')
  terminal.show(true)
  const words = [await python(), '-m', 'dotcnn', command, document.uri.fsPath, ...more]
  terminal.sendText(words.map(quoted).join(' '))
}

async function chooseImage() {
  const [image] = (await vscode.window.showOpenDialog({
    title: 'An image to put through the network',
    filters: { Images: ['png', 'jpg', 'jpeg', 'webp', 'tif', 'tiff', 'bmp'] },
  })) ?? [undefined]
  if (image) await inTerminal('show', image.fsPath)
}

/** Writes what a command makes of the file beside it, and opens that. */
async function beside(command: string, ending: string) {
  const document = await saved()
  if (!document) return
  const target = document.uri.fsPath.replace(/\.cnn$/, ending)
  const words = ['-m', 'dotcnn', command, document.uri.fsPath, '-o', target]
  execFile(await python(), words, async (error, _, said) => {
    if (error) void vscode.window.showErrorMessage(`dotcnn: ${said.trim().split('\n')[0]}`)
    else await vscode.commands.executeCommand('vscode.open', vscode.Uri.file(target), vscode.ViewColumn.Beside)
  })
}
