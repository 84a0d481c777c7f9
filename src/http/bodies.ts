import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { parse as parseQuery } from 'node:querystring'
import { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import formbody from '@fastify/formbody'
import '@fastify/swagger'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems/problem.ts'

/**
 * Reads JSON bodies and empty ones, on both servers. An empty body counts as none, whatever its Content-Type and however
 * it is sent, because many clients send that header with every POST and DELETE. JSON is parsed by Fastify, which refuses
 * `__proto__` and a `constructor` that holds a `prototype`.
 */
export const bodies = fp(async (app: FastifyInstance) => {
  // A request to an unknown path is refused before (handleUnknownRoutes), without waiting for its body.
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
 * Why valid JSON is refused. A repeated name is refused as in a form, because JSON.parse would silently keep the last value
 * (RFC 8259 §4). The values of members that the route does not know are not examined.
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
 * Whether every text in a JSON value is Unicode (RFC 7493 §2.1). Half of a surrogate pair would become U+FFFD in a hash, a
 * request to the provider or the database, so that two different texts would be equal there.
 */
function isWellFormed(value: unknown): boolean {
  const left = [value]
  for (const one of left)
    if (typeof one === 'string' && !one.isWellFormed()) return false
    else if (isObject(one)) left.push(...Object.keys(one), ...Object.values(one))
  return true
}

interface BodyMembers {
  readonly known: ReadonlySet<string>
  readonly required: ReadonlySet<unknown>
}

/** By the schema of a body. */
const membersOf = new WeakMap<object, BodyMembers>()

/** What the schema of the route says of its body's members: their names, and which of them must be there. */
function bodyMembers({ routeOptions, server }: FastifyRequest): BodyMembers {
  const body: unknown = routeOptions.schema?.body
  const read = isObject(body) ? membersOf.get(body) : undefined
  if (read !== undefined) return read
  const schema = isObject(body) && typeof body.$ref === 'string' ? server.getSchema(body.$ref) : body
  const { properties, required } = isObject(schema) ? schema : {}
  const members = {
    known: new Set(isObject(properties) ? Object.keys(properties) : []),
    required: new Set(Array.isArray(required) ? required : []),
  }
  if (isObject(body)) membersOf.set(body, members)
  return members
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/**
 * The media types that the route accepts: those in `consumes` of its schema, and JSON, which the OpenAPI documents do not
 * list beside a form.
 */
export function accepted(request: FastifyRequest): readonly string[] {
  return [...new Set([...(request.routeOptions.schema?.consumes ?? []), 'application/json'])]
}

/**
 * Finds the first name that occurs twice in the object of a JSON text, or in an object inside a known member.
 * @param json valid JSON: a string before a colon is a name, and each brace outside a string opens or closes an object
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

/** The most bytes that a request body may have, in every media type. */
export const bodyLimit = 16_384

/** Fields that one multipart body may have: far more than a site ever sends. */
const fieldLimit = 1_000

/** The value of a multipart field that came as a file. No schema accepts it as text. */
export class FilePart {
  readonly isFile = true
}

/**
 * Reads forms. Urlencoded and multipart bodies become the same flat object, in which a repeated name has an array as its
 * value: the schema of the route refuses it for a known name and ignores it for an unknown one. A route that lists forms
 * in `consumes` accepts JSON as well, and refuses every other type with 415. An optional parameter without a value counts
 * as omitted, in each of them (RFC 6749 §3.1).
 */
export const forms = fp(async (app: FastifyInstance) => {
  await app.register(formbody, { bodyLimit, parser: readQuery })
  // The body is read as a whole first, so that Fastify enforces its body limit as for every other type.
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer', bodyLimit },
    (request: FastifyRequest, body: Buffer) => multipart(request.headers['content-type'], body),
  )
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
    const consumes = request.routeOptions.schema?.consumes
    const refused =
      (type !== undefined && consumes !== undefined && !accepted(request).includes(type)) ||
      isEncoded(request.headers['content-encoding'])
    if (refused)
      throw new Problem('unsupported-media-type', { values: { accepted: accepted(request).join(', ') } })
    done(null, payload)
  })
  app.addHook('preValidation', (request, _reply, done) => {
    const { body } = request
    if (request.routeOptions.schema?.consumes !== undefined && isObject(body)) {
      const { known, required } = bodyMembers(request)
      for (const [name, value] of Object.entries(body))
        if (value === '' && known.has(name) && !required.has(name)) Reflect.deleteProperty(body, name)
    }
    done()
  })
})

/**
 * Reads a query or an urlencoded body; a repeated name becomes a list. Percent-encoded bytes that are not UTF-8 become
 * U+FFFD, as in most frameworks, so that they are not mistaken for a text with percent signs.
 */
export function readQuery(text: string): NodeJS.Dict<string | string[]> {
  return parseQuery(text, '&', '=', { maxKeys: 0 })
}

/** Codings are named in any case, in a list where there are several (RFC 9110 §8.4); `identity` is none. */
function isEncoded(codings: string | undefined): boolean {
  const names = codings?.split(',').map((name) => name.trim().toLowerCase()) ?? []
  return names.some((name) => name !== '' && name !== 'identity')
}

type Field = string | FilePart | (string | FilePart)[]

/** @throws {Problem} malformed-request for a body that is cut short or has no boundary */
async function multipart(contentType: string | undefined, body: Buffer): Promise<Record<string, Field>> {
  const fields = new Map<string, Field>()
  const add = (name: string, value: string | FilePart) => {
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : [before, value].flat())
  }
  try {
    const parser = new Busboy({
      headers: { 'content-type': contentType ?? '' },
      // Some clients give each part a type, and some an empty file name: only a part with a file name is a file.
      isPartAFile: (_name, _type, fileName) => fileName !== undefined && fileName !== '',
      limits: { fieldSize: bodyLimit, fields: fieldLimit, files: fieldLimit, parts: fieldLimit },
    })
    parser.on('field', add)
    parser.on('file', (name, file) => {
      add(name, new FilePart())
      // A truncated file part emits its own error besides the parser's; without a listener it would end the process.
      file.on('error', () => {}).resume()
    })
    const done = new Promise((resolve, reject) => parser.once('finish', resolve).on('error', reject))
    Readable.from([body]).pipe(parser)
    await done
  } catch (error) {
    throw new Problem('malformed-request', { cause: error })
  }
  return Object.fromEntries(fields)
}
