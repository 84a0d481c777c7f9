import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { toOpenapi30 } from './openapi-3.0.ts'

/** In place of the reference's own brand. */
const logo = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')

/** The document in both versions and a browsable reference that loads nothing from elsewhere. */
export async function docs(app: FastifyInstance, { title }: { title: string }): Promise<void> {
  const hidden = { schema: { hide: true } }
  let serialized: { current: string; twin: string } | undefined
  const documents = () => {
    if (serialized !== undefined) return serialized
    const current = JSON.stringify(app.swagger())
    serialized = { current, twin: JSON.stringify(toOpenapi30(JSON.parse(current))) }
    return serialized
  }
  app.get('/openapi.json', hidden, async (_request, reply) =>
    reply.type('application/json').header('cache-control', 'public, max-age=300').send(documents().current),
  )
  app.get('/openapi-3.0.json', hidden, async (_request, reply) =>
    reply.type('application/json').header('cache-control', 'public, max-age=300').send(documents().twin),
  )
  app.get('/', hidden, async (_request, reply) => reply.redirect('/docs/', 302))
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    theme: { title },
    logo: { type: 'image/svg+xml', content: logo },
  })
}
