import t from 'tap'
import { loginToFinish, readResponse } from '../support/login-flow.ts'
import { redirectUrl, startTestService } from '../support/service.ts'
import { codeBlocks, readText } from './markdown.ts'

// The published guide: its two requests are sent as they stand there, with values in place of what is in angle brackets.

const service = await startTestService(t)

/** Sends a request of the guide: the line with the address, a blank line, one parameter per line, as a form. */
async function send(block: string, values: Readonly<Record<string, string>>): Promise<Response> {
  const [, method = '', path = '', parameters = ''] = /^(\w+) (\S+)\n\n(.*)$/s.exec(block.trim()) ?? []
  const body = new FormData()
  for (const line of parameters.split('\n')) {
    const [, name = ''] = /^(\w+)=<[^<>]+>$/.exec(line) ?? []
    body.append(name, values[name] ?? '')
  }
  return fetch(`${service.url}/${path}`, { method, body })
}

for (const language of ['en', 'ru'])
  t.test(`${language}: the two requests of the guide log a person in`, async (t) => {
    const blocks = codeBlocks(await readText(`docs/${language}/client-guide.md`))
    const block = (info: string) => blocks.find((one) => one.info === info)?.text ?? ''
    const shown = blocks.flatMap(({ info, text }) => (info === 'json' ? [Object.keys(JSON.parse(text))] : []))
    t.equal(block('http start').split('\n')[0], 'POST api/v1/oauth/authorize-url/')
    t.equal(block('http finish').split('\n')[0], 'POST api/v1/oauth/authorize/')

    const started = await readResponse(
      await send(block('http start'), { provider: 'yandex', client_redirect_url: redirectUrl }),
    )
    t.equal(started.status, 200, started.text)
    t.strictSame(Object.keys(started.json).toSorted(), shown[0]?.toSorted())

    const { state, code } = await loginToFinish(service, 'yandex')
    const finished = await readResponse(await send(block('http finish'), { provider: 'yandex', state, code }))
    t.equal(finished.status, 200, finished.text)
    const further = ['token_type', 'expires_in']
    t.strictSame(Object.keys(finished.json).toSorted(), [...(shown[1] ?? []), ...further].toSorted())
    const text = await readText(`docs/${language}/client-guide.md`)
    for (const member of further) t.ok(text.includes(`\`${member}\``), `the guide tells of ${member}, too`)
  })
