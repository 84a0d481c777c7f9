import { connect } from 'node:net'

/**
 * Sends bytes that no HTTP client would send, over a connection of their own.
 * @param pieces the bytes, of which each piece is written `wait` milliseconds after the one before
 * @returns what comes back until the service closes the connection
 */
export function sendBytes(
  service: { readonly url: string },
  pieces: readonly string[],
  wait = 0,
): Promise<string> {
  const { hostname, port } = new URL(service.url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      for (const [n, piece] of pieces.entries()) setTimeout(() => socket.write(piece), n * wait)
    })
    let received = ''
    socket.setEncoding('utf8').on('data', (chunk) => (received += String(chunk)))
    socket.once('error', reject).once('close', () => resolve(received))
  })
}
