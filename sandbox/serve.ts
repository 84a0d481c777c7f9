import fastifyAccepts from '@fastify/accepts'
import type { FastifyInstance } from 'fastify'
import fastify from 'fastify'
import { favicon } from '../src/http/docs.ts'
import type { CommonSwitches, DoubleOptions, ProviderDouble } from './doubles/double.ts'
import { createDouble } from './doubles/double-plugin.ts'
import type { Rules } from './doubles/rules.ts'

/**
 * A bare server as every part of the sandbox needs it: bodies arrive as the text that was sent, whatever their
 * type, and closing drops open connections, so that a fault that hangs does not keep anybody waiting.
 */
export async function newServer(): Promise<FastifyInstance> {
  const app = fastify({
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 10_000 },
    http: { maxHeaderSize: 64 * 1024 },
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  await app.register(fastifyAccepts)
  favicon(app)
  return app
}

/** Serves one double on a port of 127.0.0.1 of its own. */
export async function serveDouble<S extends CommonSwitches>(
  rules: Rules<S>,
  { port = 0, redirectUris }: DoubleOptions,
): Promise<ProviderDouble<S>> {
  const app = await newServer()
  const double = createDouble(rules, redirectUris)
  await app.register(double.plugin)
  const origin = await app.listen({ host: '127.0.0.1', port })
  return double.serveAt(origin, async () => {
    await app.close()
  })
}
