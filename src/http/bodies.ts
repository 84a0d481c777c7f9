import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from './problem.ts'

/**
 * Bodies that are no form, on both servers. An empty body is no body, whatever its type and however it is sent: many
 * clients name a type in each POST and DELETE. JSON is read by Fastify's own parser, which refuses `__proto__` and a
 * `constructor` that holds a `prototype`; any other member `constructor` is one that nobody knows.
 */
export const bodies = fp(async (app: FastifyInstance) => {
  // An address that is not there is refused before (handleUnknownRoutes), without waiting for a body.
  app.addHook('preParsing', async ({ raw, method }, _reply, payload) => {
    if (!['GET', 'HEAD'].includes(method) && (await isEmpty(raw)))
      for (const name of ['content-type', 'content-encoding', 'transfer-encoding']) delete raw.headers[name]
    return payload
  })
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    (request: FastifyRequest, body: string, done) =>
      parse(request, body, (error, value) => done(error ?? faultOf(request, body, value), value)),
  )
})

/** Whether a request has no body; a chunked one is waited for until its first byte or its end is there. */
async function isEmpty(raw: IncomingMessage): Promise<boolean> {
  if (raw.headers['transfer-encoding'] === undefined) return Number(raw.headers['content-length'] ?? 0) === 0
  while (raw.readableLength === 0 && !raw.complete && !raw.destroyed) await once(raw, 'readable')
  return raw.readableLength === 0 && raw.complete
}

/**
 * What makes valid JSON no body of ours. Each name stands once (RFC 8259 §4: JSON.parse would keep the last one in
 * silence), as in a form; inside a member that the route does not know nobody looks.
 */
function faultOf(request: FastifyRequest, json: string, value: unknown): Problem | null {
  // The route's schema refuses it.
  if (!isObject(value) || Array.isArray(value)) return null
  const { known } = bodyMembers(request)
  const repeated = repeatedName(json, known)
  if (repeated !== undefined)
    return new Problem('repeated-parameter', { values: { parameter: repeated.slice(0, 64) } })
  const illFormed = Object.entries(value).find(([name, member]) => known.has(name) && !isWellFormed(member))
  if (illFormed === undefined) return null
  return new Problem('invalid-parameter', { values: { parameter: illFormed[0], rule: 'format' } })
}

/**
 * Whether every text in a JSON value is Unicode (RFC 7493 §2.1). A half of a surrogate pair would become U+FFFD on its
 * way to a hash, a provider or the database, and two texts one. No other encoding of a body can hold one.
 */
function isWellFormed(value: unknown): boolean {
  const left = [value]
  for (const one of left)
    if (typeof one === 'string' && !one.isWellFormed()) return false
    else if (isObject(one)) left.push(...Object.keys(one), ...Object.values(one))
  return true
}

/** What the schema of the route says of its body's members: their names, and which of them must be there. */
export function bodyMembers({ routeOptions, server }: FastifyRequest): {
  readonly known: ReadonlySet<string>
  readonly required: ReadonlySet<unknown>
} {
  const body: unknown = routeOptions.schema?.body
  const schema = isObject(body) && typeof body.$ref === 'string' ? server.getSchema(body.$ref) : body
  const { properties, required } = isObject(schema) ? schema : {}
  return {
    known: new Set(isObject(properties) ? Object.keys(properties) : []),
    required: new Set(Array.isArray(required) ? required : []),
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/**
 * The media types that the route takes: those that its schema lists in `consumes`, and JSON, which the documents leave
 * out beside a form.
 */
export function accepted(request: FastifyRequest): readonly string[] {
  return [...new Set([...(request.routeOptions.schema?.consumes ?? []), 'application/json'])]
}

/**
 * The first name that stands twice in the object of a JSON text, or in an object inside a known member.
 * @param json valid JSON: a string in it that a colon follows is a name, and every other brace opens or closes an object
 */
function repeatedName(json: string, known: ReadonlySet<string>): string | undefined {
  const open: Set<string>[] = []
  let member = ''
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")\s*(:)?|[{}]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (colon !== undefined && text !== undefined) {
      const name = String(JSON.parse(text))
      if (open.length === 1) member = name
      else if (!known.has(member)) continue
      const names = open.at(-1)
      if (names?.has(name)) return name
      names?.add(name)
    }
  }
  return undefined
}
