import t from 'tap'
import type { ProblemName, ProblemText } from '../../src/problems/table.ts'
import { problems } from '../../src/problems/table.ts'
import type { Language } from '../../src/problems/texts.ts'
import { problemText, problemTexts } from '../../src/problems/texts.ts'

/** The values that each problem may be thrown with: the only placeholders its detail may use. */
const documented: Partial<Record<ProblemName, readonly string[]>> = {
  'missing-parameter': ['parameter', 'hint', 'where'],
  'invalid-parameter': ['parameter', 'rule'],
  'repeated-parameter': ['parameter'],
  'misnamed-parameter': ['given', 'right'],
  'unsupported-media-type': ['accepted'],
  'body-too-large': ['limit'],
  'method-not-allowed': ['method', 'allowed', 'address'],
  'rate-limited': ['who', 'limit'],
  'provider-not-allowed': ['provider'],
  'unknown-provider': ['providers'],
  'redirect-url-differs': ['difference', 'registered'],
  'code-mismatch': ['came'],
  'provider-declined': ['error'],
  'provider-unavailable': ['provider'],
  'provider-error': ['provider'],
  'provider-timeout': ['provider'],
  'provider-invalid-response': ['provider'],
  'provider-misconfigured': ['provider'],
  'site-invalid': ['reason'],
  'site-conflict': ['reason'],
}
const codes = {
  difference: ['scheme', 'port', 'case', 'trailing-slash', 'path', 'query'],
  rule: [
    'string',
    'not-empty',
    'too-long',
    's256',
    'format',
    'select_account',
    'unknown',
    'not-as-in-basic',
    'file',
    'beside-code',
  ],
  hint: ['entity', 'encoded', 'separator', 'json'],
  where: ['body', 'callback'],
  came: ['other-code', 'late-error'],
  who: [
    'site-and-address',
    'site',
    'address',
    'unknown-states',
    'wrong-secrets',
    'rejected-codes',
    'wrong-admin-tokens',
  ],
}
const carrier = {
  difference: 'redirect-url-differs',
  rule: 'invalid-parameter',
  hint: 'missing-parameter',
  where: 'missing-parameter',
  came: 'code-mismatch',
  who: 'rate-limited',
} as const
const languages: readonly Language[] = ['en', 'ru']
const names = Object.keys(problems).filter((name): name is ProblemName => name in problems)
/** RFC 6749 §5.2, `error_description`. */
const described = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/

const placeholders = (text: string) => Array.from(text.matchAll(/\{(\w+)\}/g), (match) => match[1] ?? '')
const sorted = (texts: readonly string[]) => texts.toSorted()
const parts = (text: ProblemText) => [text.title, text.detail, text.cause, text.remedy]

await t.test('both languages have a whole row for each problem, and no other row', async (t) => {
  for (const language of languages) {
    t.strictSame(sorted(Object.keys(problemTexts[language])), sorted(names))
    for (const [name, text] of Object.entries(problemTexts[language])) {
      t.match(text.title, /^[^.]{8,60}$/, `${language} ${name}: title`)
      for (const part of [text.detail, text.cause, text.remedy]) {
        t.match(part, /^[A-ZА-ЯЁ][^]{20,}\.$/, `${language} ${name}: sentences, closed by a full stop`)
        t.notMatch(part, /\s{2}|\s$|\s[.,;:]/, `${language} ${name}: no stray blank`)
      }
    }
  }
})

await t.test('a detail is one or two sentences; cause and remedy are one to four', async (t) => {
  const sentences = (part: string) => part.split(/[.?!](?=\s|$|\[)/).length - 1
  for (const language of languages)
    for (const [name, text] of Object.entries(problemTexts[language])) {
      t.ok(sentences(text.detail) <= 2, `${language} ${name}: detail`)
      t.ok(sentences(text.cause) <= 4, `${language} ${name}: cause`)
      t.ok(sentences(text.remedy) <= 4, `${language} ${name}: remedy`)
    }
})

await t.test('English keeps to the characters of error_description; Russian is Russian', async (t) => {
  for (const name of names) {
    for (const part of parts(problemTexts.en[name])) t.match(part, described, `en ${name}`)
    for (const part of parts(problemTexts.ru[name])) t.match(part, /[а-яё]{3}/, `ru ${name}`)
  }
})

await t.test(
  'only documented placeholders, the same in both languages, each in an optional part',
  async (t) => {
    for (const name of names) {
      const expected = sorted(documented[name] ?? [])
      for (const language of languages) {
        const { title, detail, cause, remedy } = problemTexts[language][name]
        t.strictSame(sorted(placeholders(detail)), expected, `${language} ${name}`)
        t.strictSame(placeholders(detail.replace(/\[[^\]]*\]/g, '')), [], `${language} ${name}: none is bare`)
        t.strictSame(placeholders(title + cause + remedy), [], `${language} ${name}: the page has none`)
      }
    }
  },
)

await t.test('userMessage is one plain sentence without technical terms', async (t) => {
  const developers = {
    en: /\b(https?|json|url|oauth|state|code|token|redirect|server|request|parameter|header|api|basic|verifier|secret|client|provider|operator|administrator|session id|retry)\b/i,
    ru: /(запрос|параметр|заголов|токен|провайдер|сервер|секрет|\bкод|адрес возврата|оператор|администратор|клиент)/i,
  }
  for (const language of languages)
    for (const name of names) {
      const { userMessage, detail } = problemTexts[language][name]
      t.match(userMessage, /^[A-ZА-ЯЁ][^.!?]{15,150}\.$/, `${language} ${name}: one sentence`)
      t.notMatch(userMessage, developers[language], `${language} ${name}`)
      t.notMatch(userMessage, /\s{2}|\s[.,;:]/, `${language} ${name}: no stray blank`)
      t.not(userMessage, detail)
      t.strictSame(
        placeholders(userMessage).filter((one) => !['providerTitle', 'domain'].includes(one)),
        [],
      )
      t.strictSame(placeholders(userMessage.replace(/\[[^\]]*\]/g, '')), [], `${name}: none is bare`)
      t.match(userMessage, language === 'ru' ? /[а-яё]{3}/ : described)
      for (const values of [{}, { providerTitle: 'Яндекс', domain: 'login.example' }])
        t.notMatch(problemText(name, language, values).userMessage, /[[\]{}?]|\s{2}|\s[.,;:]|undefined/)
    }
})

await t.test('with all values, with none and with each one missing, the detail is whole', async (t) => {
  const all = {
    parameter: 'state',
    rule: 'string',
    hint: 'entity',
    where: 'body',
    came: 'other-code',
    given: 'client_redirect_uri',
    right: 'client_redirect_url',
    accepted: 'application/x-www-form-urlencoded',
    limit: '600',
    method: 'GET',
    allowed: 'POST',
    address: 'https://login.example/api/v1/oauth/authorize/',
    who: 'site',
    provider: 'yandex',
    providers: 'yandex, google',
    difference: 'port',
    registered: 'https://site.example/return',
    error: 'server_error',
    reason: 'The name is taken',
  }
  for (const language of languages)
    for (const name of names) {
      const cases = [all, {}, ...Object.keys(all).map((left) => ({ ...all, [left]: '' }))]
      for (const values of cases) {
        const { detail } = problemText(name, language, values)
        t.notMatch(detail, /[[\]{}]|\s{2}|\s[.,;:]|undefined/, `${language} ${name}`)
        t.match(detail, /\.$/)
      }
      const full = problemText(name, language, all).detail
      for (const placeholder of documented[name] ?? [])
        t.not(
          full,
          problemText(name, language, { ...all, [placeholder]: '' }).detail,
          `${name} ${placeholder}`,
        )
    }
})

await t.test('codes are replaced by the words of the language', async (t) => {
  for (const key of ['difference', 'rule', 'hint', 'where', 'who'] as const)
    for (const code of codes[key]) {
      const said = languages.map((language) => problemText(carrier[key], language, { [key]: code }).detail)
      t.match(said[0], described, `${key} ${code}`)
      t.not(said[0], problemText(carrier[key], 'en').detail, `${key} ${code} is said in English`)
      t.not(said[1], problemText(carrier[key], 'ru').detail, `${key} ${code} is said in Russian`)
    }
  t.match(problemText('redirect-url-differs', 'ru', { difference: 'port' }).detail, 'различие: порт')
  t.match(
    problemText('method-not-allowed', 'en', { method: 'GET', allowed: 'POST' }).detail,
    /GET.*POST.*redirect/,
  )
})

await t.test('a value cannot change the text around it', async (t) => {
  const plain = problemText('invalid-parameter', 'en').detail
  for (const rule of ['__proto__', 'constructor', 'toString', 'unheard-of'])
    t.equal(problemText('invalid-parameter', 'en', { rule }).detail, plain, rule)
  const inherited: Record<string, string> = Object.create({ parameter: 'inherited' })
  t.equal(
    problemText('missing-parameter', 'en', inherited).detail,
    problemText('missing-parameter', 'en').detail,
  )
  const nested = problemText('misnamed-parameter', 'en', {
    given: '{right} [x]',
    right: 'client_redirect_url',
  })
  t.match(nested.detail, '{right} [x]; the right name is client_redirect_url')
  for (const language of languages) {
    const hostile = problemText('missing-parameter', language, { parameter: 'a"b\\c\r\nd\u0436' }).detail
    t.match(hostile, 'a?b?c??d?', `${language}: characters that no header or error_description may hold`)
  }
})
