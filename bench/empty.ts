import formbody from '@fastify/formbody'
import fastify from 'fastify'
import { listenForBench } from './child.ts'

// The same requests and responses on the same Fastify, with nothing done in them: no service on it can need less.
const app = fastify()
await app.register(formbody)
const tokens = {
  access_token: 'a'.repeat(600),
  refresh_token: 'r'.repeat(400),
  token_type: 'Bearer',
  expires_in: 900,
}

app.post('/api/v1/oauth/authorize-url/', async () => ({
  state: 's'.repeat(43),
  authorize_url: `https://provider.example/authorize?${'q'.repeat(300)}`,
}))
app.get('/api/v1/oauth/callback/yandex', (request, reply) =>
  reply.redirect(`https://site.example/return?${request.url.split('?')[1] ?? ''}&provider=yandex`, 303),
)
app.post('/api/v1/oauth/authorize/', async () => tokens)
app.post('/api/v1/oauth/refresh/', async () => tokens)
app.get('/api/v1/me/', async () => ({
  id: 'i'.repeat(36),
  name: 'Anna',
  login: 'anna',
  email: 'anna@example.org',
}))
await listenForBench(app)
