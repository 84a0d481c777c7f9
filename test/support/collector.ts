import { createServer } from 'node:http'
import type t from 'tap'
import { listenOnLoopback } from './process.ts'

/** A span as a collector of OpenTelemetry received it. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string
  readonly name: string
  /** 2 server, 3 client, 1 internal. */
  readonly kind: number
  /** Nanoseconds since the epoch. */
  readonly start: bigint
  readonly end: bigint
  readonly attributes: Readonly<Record<string, string | number>>
  /** 2 error, 0 unset. */
  readonly status: number
  readonly resource: Readonly<Record<string, string | number>>
}

/** A collector of traces: what an operator would put behind OTEL_EXPORTER_OTLP_ENDPOINT. */
export interface Collector {
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  /** The bodies as they came, to look for what must not be in them. */
  readonly bodies: readonly Buffer[]
  /** The headers of the last request. */
  readonly headers: () => NodeJS.Dict<string | string[]>
}

/** Starts a collector on loopback, which takes OTLP over HTTP with protobuf; it ends when `test` ends. */
export async function startCollector(test: Pick<typeof t, 'teardown'>): Promise<Collector> {
  const spans: ReceivedSpan[] = []
  const bodies: Buffer[] = []
  let headers: NodeJS.Dict<string | string[]> = {}
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const right =
        request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf'
      if (!right) return response.writeHead(400).end()
      headers = request.headers
      const body = Buffer.concat(chunks)
      bodies.push(body)
      spans.push(...spansOf(body))
      return response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  const port = await listenOnLoopback(server)
  test.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${port}`, spans, bodies, headers: () => headers }
}

/** The spans of an ExportTraceServiceRequest, by the field numbers of opentelemetry/proto/trace/v1/trace.proto. */
function spansOf(body: Buffer): ReceivedSpan[] {
  return message(body)
    .all(1)
    .flatMap((resourceSpans) => {
      const ofResource = message(resourceSpans)
      const resource = attributes(message(ofResource.bytes(1)).all(1))
      return ofResource.all(2).flatMap((scopeSpans) =>
        message(scopeSpans)
          .all(2)
          .map((one) => {
            const span = message(one)
            return {
              traceId: span.bytes(1).toString('hex'),
              spanId: span.bytes(2).toString('hex'),
              parentSpanId: span.bytes(4).toString('hex'),
              name: span.bytes(5).toString(),
              kind: Number(span.number(6)),
              start: span.number(7),
              end: span.number(8),
              attributes: attributes(span.all(9)),
              status: Number(message(span.bytes(15)).number(3)),
              resource,
            }
          }),
      )
    })
}

function attributes(pairs: readonly Buffer[]): Record<string, string | number> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const keyValue = message(pair)
      const value = message(keyValue.bytes(2))
      const text = value.all(1)[0]
      return [keyValue.bytes(1).toString(), text === undefined ? Number(value.number(3)) : text.toString()]
    }),
  )
}

/** A message of Protocol Buffers in its wire format: fields by number. */
function message(body: Buffer) {
  const fields: { readonly field: number; readonly value: bigint | Buffer }[] = []
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = body.readUInt8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number) => body.subarray(at, (at += length))
  while (at < body.length) {
    const tag = Number(varint())
    const field = tag >> 3
    const type = tag & 7
    if (type === 0) fields.push({ field, value: varint() })
    else if (type === 1) fields.push({ field, value: take(8).readBigUInt64LE() })
    else if (type === 5) fields.push({ field, value: BigInt(take(4).readUInt32LE()) })
    else if (type === 2) fields.push({ field, value: take(Number(varint())) })
    else throw new Error(`no wire type: ${type}`)
  }
  const all = (number: number) =>
    fields.flatMap(({ field, value }) => (field === number && typeof value !== 'bigint' ? [value] : []))
  return {
    all,
    bytes: (number: number) => all(number)[0] ?? Buffer.alloc(0),
    number: (number: number) => {
      const found = fields.find(({ field }) => field === number)?.value
      return typeof found === 'bigint' ? found : 0n
    },
  }
}
