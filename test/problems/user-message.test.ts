import t from 'tap'
import { addSite } from '../../src/sites/store.ts'
import { get, post } from '../support/login-flow.ts'
import { startTestService } from '../support/service.ts'

const service = await startTestService(t)
const url = 'https://narrow.example/return'
const rules = { providers: ['yandex', 'google', 'mail'], loopback: true }
await addSite(service.database, { name: 'Narrow', redirectUrls: [url], providers: ['google'] }, rules)

const refusedIn = (language: string) =>
  post(
    service,
    '/api/v1/oauth/authorize-url/',
    { provider: 'yandex', client_redirect_url: url },
    { headers: { 'accept-language': language } },
  )

t.test('user_message is in the language of the visitor and has the title of the provider', async (t) => {
  const russian = await refusedIn('ru')
  t.match(russian.json, {
    type: 'urn:auth-movies:problem:provider-not-allowed',
    user_message: 'Сайт не принимает такой способ входа (Яндекс); выберите другой.',
    detail: /yandex/,
    error_description: /^[\x20-\x7e]+$/,
  })
  const english = await refusedIn('en')
  t.match(english.json.user_message, /\(Yandex\); please choose another one\.$/)
  t.match((await refusedIn('de')).json, { user_message: english.json.user_message })
})

t.test('user_message is there on every path, known or not', async (t) => {
  for (const path of ['/nowhere', '/api/v1/me/', '/api/v1/oauth/callback/yandex', '/api/v1/oauth/authorize/'])
    t.match((await get(service, path)).json, { user_message: /\.$/ }, path)
})

t.test('the page of a problem shows user_message too', async (t) => {
  const page = await get(service, '/problems/login-expired?lang=ru')
  t.match(page.text, /Что сайт может показать посетителю<\/h2><p>Вход занял слишком много времени/)
})
