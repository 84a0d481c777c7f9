import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { toOpenapi30 } from './openapi.ts'

/** The icon of the service: a ticket with a keyhole. */
export const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#2563eb" d="M3 8h26v5a3 3 0 0 0 0 6v5H3v-5a3 3 0 0 0 0-6z"/><path fill="#fff" d="M16 11a3 3 0 0 1 1.5 5.6L18.5 21h-5l1-4.4A3 3 0 0 1 16 11z"/></svg>'

/** Darkens the texts of the reference that have too little contrast (WCAG 2.1, 1.4.3), and hides the choice of its only server. */
const style = `
.swagger-ui .scheme-container { display: none }
.swagger-ui .info .title small { background: #4a4a4a }
.swagger-ui .info .title small.version-stamp { background: #4a6b00 }
.swagger-ui .info a, .swagger-ui .info .link, .swagger-ui .info .link .url { color: #1d4ed8 }
.swagger-ui .opblock.opblock-post .opblock-summary-method { background: #17754a }
.swagger-ui .opblock.opblock-get .opblock-summary-method { background: #1d5fb0 }
.swagger-ui .json-schema-2020-12-expand-deep-button { color: #4a4a4a }
.swagger-ui .opblock.opblock-delete .opblock-summary-method { background: #b91c1c }
`

const faviconOfReference = {
  filename: 'favicon.svg',
  rel: 'icon',
  type: 'image/svg+xml',
  sizes: 'any',
  content: Buffer.from(icon),
}

/** Serves the OpenAPI document in both versions, and a browsable reference that loads nothing from other hosts. */
export async function docs(app: FastifyInstance, { title }: { title: string }): Promise<void> {
  const hidden = { schema: { hide: true } }
  let serialized: { current: string; older: string } | undefined
  const documents = () => {
    if (serialized !== undefined) return serialized
    const current = JSON.stringify(app.swagger())
    serialized = { current, older: JSON.stringify(toOpenapi30(JSON.parse(current))) }
    return serialized
  }
  app.get('/openapi.json', hidden, async (_request, reply) =>
    reply.type('application/json').header('cache-control', 'public, max-age=300').send(documents().current),
  )
  app.get('/openapi-3.0.json', hidden, async (_request, reply) =>
    reply.type('application/json').header('cache-control', 'public, max-age=300').send(documents().older),
  )
  app.get('/', hidden, async (_request, reply) => reply.redirect('/docs/', 302))
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // Without the bar at the top, which only offers to load another document and has an input without a label.
    uiConfig: { layout: 'BaseLayout' },
    theme: { title, css: [{ filename: 'contrast.css', content: style }], favicon: [faviconOfReference] },
  })
}

/** Serves the icon at the path that every browser requests, so that no console shows a 404. */
export function favicon(app: FastifyInstance): void {
  app.get('/favicon.ico', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('image/svg+xml').header('cache-control', 'public, max-age=86400').send(icon),
  )
}
