import { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import formbody from '@fastify/formbody'
import '@fastify/swagger'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems/problem.ts'

/**
 * Bodies that are no form, on both servers. An empty body is no body, whatever its type: many clients name a type in
 * each POST and DELETE. JSON is read by Fastify's own parser, which refuses `__proto__`; a name that comes twice is
 * refused as it is in a form, where JSON.parse would keep the last one in silence (RFC 8259 §4).
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
      // Chunked, so that the headers do not say it.
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
 * The media types that the route takes: those that its schema lists in `consumes`, and JSON, which the documents leave
 * out beside a form.
 */
export function accepted(request: FastifyRequest): readonly string[] {
  return [...new Set([...(request.routeOptions.schema?.consumes ?? []), 'application/json'])]
}

/**
 * The first name that stands twice in one object of a JSON text.
 * @param json valid JSON: a string in it that a colon follows is a name, and every other brace opens or closes an object
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

/** Bytes of a request body, in every encoding. */
export const bodyLimit = 16_384

/** Fields that one body may hold: far more than any site's own parameters beside the login's. */
const fieldLimit = 1_000

/** In place of a value, where a part of a multipart body came as a file: no schema takes it for a text. */
export class FilePart {
  readonly isFile = true
}

/**
 * Bodies: urlencoded and multipart forms become the same flat object, a name that comes twice an array, so
 * that the route's schema refuses a known one and ignores an unknown one. A route with a form in its schema's
 * `consumes` takes JSON as well, and nothing else (415).
 */
export const forms = fp(async (app: FastifyInstance) => {
  await app.register(formbody, { bodyLimit })
  // Read whole first: Fastify's own body limit holds then, as it does for every other type.
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
      // Some clients give each part a type, and some an empty file name: only a real one makes a file.
      isPartAFile: (_name, _type, fileName) => fileName !== undefined && fileName !== '',
      limits: { fieldSize: bodyLimit, fields: fieldLimit, files: fieldLimit, parts: fieldLimit },
    })
    parser.on('field', add)
    parser.on('file', (name, file) => {
      add(name, new FilePart())
      // A file part that is cut short fails by itself, beside the parser: unheard, its error would end the process.
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
