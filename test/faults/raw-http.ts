import { once } from 'node:events'
import { connect } from 'node:net'

/** A request, byte for byte as it is sent. */
export interface RawRequest {
  readonly method: string
  /** Path and query as they are in the request line. */
  readonly target: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
}

/** The response; its members are undefined where the connection was closed without one. */
export interface RawAnswer {
  readonly status: number | undefined
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Sends a request over its own connection, and reads until the service closes it. */
export async function sendRaw(port: number, request: RawRequest): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A reset after the response does not change it.
  socket.on('error', () => {})
  const lines = [
    `${request.method} ${request.target} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Connection: close',
    ...request.headers.map(([name, value]) => `${name}: ${value}`),
    ...(request.body.length > 0 ? [`Content-Length: ${request.body.length}`] : []),
  ]
  socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), request.body]))
  await once(socket, 'close')
  return parsed(Buffer.concat(chunks).toString('utf8'))
}

function parsed(whole: string): RawAnswer {
  // The interim response 100 Continue comes before the final one (RFC 9110 §15.2.1).
  const text = whole.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = (end === -1 ? text : text.slice(0, end)).split('\r\n')
  const status = /^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  const body = end === -1 ? '' : text.slice(end + 4)
  return { status: status === undefined ? undefined : Number(status), headers: new Map(headers), body }
}
