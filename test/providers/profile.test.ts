import * as fc from 'fast-check'
import t from 'tap'
import { joinNames, normalizeProfile } from '../../src/providers/profile.ts'
import { ProviderFailure } from '../../src/providers/provider.ts'

const of = (fields: Partial<Parameters<typeof normalizeProfile>[0]>) =>
  normalizeProfile({ subject: '1', name: [], login: [], email: [], ...fields })

const refusalOf = (subject: unknown) => {
  try {
    return of({ subject })
  } catch (error) {
    return error
  }
}

await t.test('a subject is kept exactly as sent or rejected', async (t) => {
  for (const [sent, kept] of [
    ['1130000012345678', '1130000012345678'],
    [734604429, '734604429'],
    [-5, '-5'],
    ['9007199254740993', '9007199254740993'],
    ['Ünï|кодий:7 a', 'Ünï|кодий:7 a'],
    ['0', '0'],
    ['x'.repeat(255), 'x'.repeat(255)],
  ] as const)
    t.equal(of({ subject: sent }).subject, kept)
  for (const sent of [
    0,
    -0,
    1.5,
    2 ** 53,
    1e300,
    NaN,
    Infinity,
    '',
    '\t',
    'a\nb',
    '\udc00',
    'x'.repeat(256),
    null,
    undefined,
    true,
    {},
    ['1'],
  ])
    t.match(refusalOf(sent), { kind: 'invalid_response', codeUnspent: false })
})

await t.test('names are cleaned and cut, and the first usable one is taken', async (t) => {
  for (const [sent, kept] of [
    ['Ада Лавлейс', 'Ада Лавлейс'],
    ['  a \u0000 b\r\nc\u0085 ', 'a b c'],
    ['\ud800x\udfff', 'x'],
    ['👩‍🚀 Zoë', '👩‍🚀 Zoë'],
    ['\u0000', null],
    ['', null],
    [7, null],
    [null, null],
    [{}, null],
    ['n'.repeat(1_000_000), 'n'.repeat(255)],
    ['𝔘'.repeat(300), '𝔘'.repeat(255)],
  ] as const)
    t.equal(of({ name: [sent] }).name, kept)
  t.equal(of({ login: [undefined, '', 'kim'] }).login, 'kim', 'the first usable one')
})

await t.test('parts of a name are joined', async (t) => {
  t.equal(joinNames('Ада', 'Лавлейс'), 'Ада Лавлейс')
  t.equal(joinNames('Ада', ''), 'Ада')
  t.equal(joinNames(null, 'Лавлейс'), 'Лавлейс')
  t.equal(joinNames(undefined, 7, ' '), undefined)
})

await t.test('plausible emails are kept, others become null', async (t) => {
  for (const [sent, kept] of [
    ['Victim@EXAMPLE.com', 'Victim@example.com'],
    ['vıctim@example.com', 'vıctim@example.com'],
    ['a@\u212aELVIN.example', 'a@\u212aelvin.example'],
    ['почта@Пример.РФ', 'почта@Пример.РФ'],
    [' padded@example.com ', 'padded@example.com'],
    ['a+b.c@x', 'a+b.c@x'],
    ['two@@example.com', null],
    ['a@b@c.example', null],
    ['no-at.example', null],
    ['@example.com', null],
    ['a@', null],
    ['a@.com', null],
    ['a@b..c', null],
    ['a b@example.com', null],
    ['a\u0000@example.com', null],
    ['\ud800@example.com', null],
    [`${'l'.repeat(250)}@example.com`, null],
    ['', null],
    // Nothing is mended: what remained could be another person's.
    ['a\u200bda@example.com', null],
    ['ada@exam\u00adple.com', null],
    ['\u202eada@example.com', null],
    ['ada@example.com\u{e0041}', null],
    [7, null],
    [['a@example.com'], null],
  ] as const)
    t.equal(of({ email: [sent] }).email, kept, String(sent).slice(0, 40))
})

await t.test('emailVerified is a boolean only if there is an email', async (t) => {
  const email = ['a@example.com']
  t.equal(of({ email, emailVerified: true }).emailVerified, true)
  t.equal(of({ email, emailVerified: false }).emailVerified, false)
  for (const sent of ['true', 1, null, undefined, {}])
    t.equal(of({ email, emailVerified: sent }).emailVerified, null)
  t.equal(of({ email: ['broken'], emailVerified: true }).emailVerified, null)
})

await t.test(
  'whatever a provider sends becomes a profile that PostgreSQL stores, or a failure',
  async (t) => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((n) => String.fromCharCode(n)) }),
    )
    const anything = fc.oneof(text, fc.emailAddress(), fc.anything())
    const storable = (value: string | null | undefined) =>
      value === null ||
      value === undefined ||
      (value !== '' && value.isWellFormed() && !value.includes('\u0000'))
    fc.assert(
      fc.property(
        anything,
        fc.array(anything),
        fc.array(anything),
        anything,
        (subject, names, emails, emailVerified) => {
          try {
            const profile = normalizeProfile({
              subject,
              name: names,
              login: names,
              email: emails,
              emailVerified,
            })
            return (
              String(subject) === profile.subject &&
              [profile.subject, profile.name, profile.login, profile.email].every(storable) &&
              [true, false, null].includes(profile.emailVerified)
            )
          } catch (error) {
            return error instanceof ProviderFailure && error.kind === 'invalid_response'
          }
        },
      ),
    )
    t.pass()
  },
)

await t.test('normalising is idempotent', async (t) => {
  const text = fc.string({ unit: 'binary', maxLength: 600 })
  fc.assert(
    fc.property(text, fc.oneof(text, fc.emailAddress()), (name, email) => {
      const once = of({ name: [name], email: [email] })
      t.strictSame(of({ name: [once.name], email: [once.email] }), once)
    }),
  )
})
