// The language server, wherever it runs: in a worker of this page, or behind a WebSocket of `cnn play`.

import type { Transport } from '@codemirror/lsp-client'

type Handler = (message: string) => void

export interface Server {
  transport: Transport
  /** Resolves when it can answer; after a restart, anew. What it says of its start goes to `progress`. */
  ready(): Promise<void>
  /** Ends it, and starts another one. */
  restart?: () => void
}

export function inWorker(progress: (text: string) => void, ended: () => void): Server {
  const handlers = new Set<Handler>()
  let worker: Worker
  let waiting: string[] = []
  let started = false
  let resolve: () => void
  let ready: Promise<void>

  function start() {
    started = false
    ready = new Promise<void>((done) => (resolve = done))
    worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data }: MessageEvent<{ kind: string; text: string }>) => {
      if (data.kind === 'progress') progress(data.text)
      else if (data.kind === 'ready') {
        started = true
        for (const message of waiting) worker.postMessage(message)
        waiting = []
        resolve()
      } else for (const handler of handlers) handler(data.text)
    }
    worker.onerror = (event) => progress(`The compiler did not start: ${event.message}`)
  }
  start()
  return {
    transport: {
      send(message) {
        if (started) worker.postMessage(message)
        else waiting.push(message)
      },
      subscribe: (handler) => void handlers.add(handler),
      unsubscribe: (handler) => void handlers.delete(handler),
    },
    ready: () => ready,
    restart() {
      worker.terminate()
      ended()
      start()
    },
  }
}

export function behindSocket(url: string, progress: (text: string) => void): Server {
  const handlers = new Set<Handler>()
  const socket = new WebSocket(url)
  let waiting: string[] = []
  const ready = new Promise<void>((resolve) => {
    socket.onopen = () => {
      for (const message of waiting) socket.send(message)
      waiting = []
      resolve()
    }
  })
  socket.onmessage = ({ data }) => handlers.forEach((handler) => handler(String(data)))
  socket.onclose = () => progress('`cnn play` has ended; start it again, and reload this page.')
  return {
    transport: {
      send(message) {
        if (socket.readyState === WebSocket.OPEN) socket.send(message)
        else waiting.push(message)
      },
      subscribe: (handler) => void handlers.add(handler),
      unsubscribe: (handler) => void handlers.delete(handler),
    },
    ready: () => ready,
  }
}
