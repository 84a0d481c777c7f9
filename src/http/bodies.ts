import { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import formbody from '@fastify/formbody'
import '@fastify/swagger'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems/problem.ts'

/**
 * Reads JSON bodies and empty ones, on both servers. An empty body counts as none, whatever its Content-Type, because many
 * clients send that header with every POST and DELETE. JSON is parsed by Fastify, which refuses `__proto__`. A repeated
 * name is refused as in a form; JSON.parse would silently keep the last value (RFC 8259 §4).
 */
export const bodies = fp(async (app: FastifyInstance) => {
  app.addHook('onRequest', async ({ raw: { headers } }) => {
    const empty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0
    if (empty) for (const name of ['content-type', 'content-encoding']) delete headers[name]
  })
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    (request: FastifyRequest, body: string, done) => {
      // A chunked body, of which the headers do not say that it is empty.
      if (body === '') return done(null, undefined)
      return parse(request, body, (error, value) => {
        if (error !== null) return done(error)
        const parameter = repeatedName(body)
        if (parameter === undefined) return done(null, value)
        return done(new Problem('repeated-parameter', { values: { parameter: parameter.slice(0, 64) } }))
      })
    },
  )
})

/**
 * The media types that the route accepts: those in `consumes` of its schema, and JSON, which the OpenAPI documents do not
 * list beside a form.
 */
export function accepted(request: FastifyRequest): readonly string[] {
  return [...new Set([...(request.routeOptions.schema?.consumes ?? []), 'application/json'])]
}

/**
 * Finds the first name that occurs twice in one object of a JSON text.
 * @param json valid JSON: a string before a colon is a name, and each brace outside a string opens or closes an object
 */
function repeatedName(json: string): string | undefined {
  const open: Set<unknown>[] = []
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")\s*(:)?|[{}]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (colon !== undefined && text !== undefined) {
      const name: unknown = JSON.parse(text)
      const names = open.at(-1)
      if (names?.has(name)) return String(name)
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
 * in `consumes` accepts JSON as well, and refuses every other type with 415.
 */
export const forms = fp(async (app: FastifyInstance) => {
  await app.register(formbody, { bodyLimit })
  // The body is read as a whole first, so that Fastify enforces its body limit as for every other type.
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer', bodyLimit },
    (request: FastifyRequest, body: Buffer) => multipart(request.headers['content-type'], body),
  )
  app.addHook('preParsing', async (request, _reply, payload) => {
    const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
    const consumes = request.routeOptions.schema?.consumes
    const encoding = request.headers['content-encoding'] ?? 'identity'
    const refused =
      (type !== undefined && consumes !== undefined && !accepted(request).includes(type)) ||
      encoding !== 'identity'
    if (refused)
      throw new Problem('unsupported-media-type', { values: { accepted: accepted(request).join(', ') } })
    return payload
  })
})

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
