// A text in an address, after its #: no server sees it.

async function through(stream: CompressionStream | DecompressionStream, data: Uint8Array) {
  const blob = new Blob([data as BlobPart])
  return new Uint8Array(await new Response(blob.stream().pipeThrough(stream)).arrayBuffer())
}

export async function packed(text: string): Promise<string> {
  const bytes = await through(new CompressionStream('deflate-raw'), new TextEncoder().encode(text))
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

const MOST = 1_000_000

/** Null for what nobody packed here. */
export async function unpacked(link: string): Promise<string | null> {
  try {
    const binary = atob(link.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0))
    const text = new TextDecoder().decode(await through(new DecompressionStream('deflate-raw'), bytes))
    return text.length <= MOST ? text : null
  } catch {
    return null
  }
}
