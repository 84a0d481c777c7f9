import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { toOpenapi30 } from './openapi-3.0.ts'

/** The document in both versions and a browsable reference that loads nothing from elsewhere. */
export async function docs(app: FastifyInstance): Promise<void> {
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
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true, indexPrefix: '' })
}
