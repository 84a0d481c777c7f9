import type { Case, Checkup, Verdict } from './checkup.ts'
import { failed, passed, skipped } from './checkup.ts'
import { crash, isLoggedIn, look, told } from './look.ts'
import type { Person } from './sandbox.ts'
import { comeBack, loginUntilReturn } from './try-login.ts'
import type { Visitor } from './visitor.ts'

/** Logs a new visitor in. @returns the browser, or what went wrong */
async function logIn(checkup: Checkup, person: Person): Promise<Visitor | Verdict> {
  const { visitor, returned } = await loginUntilReturn(checkup, person)
  const fell = crash(await comeBack(visitor, returned))
  if (fell !== undefined) return failed(told(fell))
  const page = await visitor.open(checkup.memberUrl)
  const broken = crash(page)
  if (broken !== undefined) return failed(`after the login ${told(broken)}`)
  return visitor
}

/** The person comes in. */
async function comesIn(checkup: Checkup, person: Person, what: string): Promise<Verdict> {
  const visitor = await logIn(checkup, person)
  if ('status' in visitor) return visitor
  return (await isLoggedIn(checkup, visitor, person))
    ? passed
    : failed(`a person with ${what} is not logged in`)
}

const columns =
  'Let columns take 255 characters of any script, in Unicode code points, and let pages cut long names off by CSS.'

/** People whose names and addresses are not what most are. */
export const peopleCases: readonly Case[] = [
  {
    id: 'no-name-no-email',
    group: 'people',
    title: 'A person without name and email is logged in',
    why: 'Accounts made by phone have neither; name, login and email of me may be null.',
    change: 'Use id as the key of your users, and show something else where name and email are null.',
    needs: 'login',
    run: (checkup) =>
      comesIn(checkup, { id: '770002', login: 'phone.check', name: '', email: '' }, 'neither name nor email'),
  },
  {
    id: 'long-name',
    group: 'people',
    title: 'A name of 255 characters is taken',
    why: 'A name may be so long, and four bytes for each character.',
    change: columns,
    needs: 'login',
    run: (checkup) =>
      comesIn(
        checkup,
        {
          id: '770003',
          login: 'long.check',
          name: '𝒜'.repeat(255),
          email: `long.${checkup.marker}@mail.example`,
        },
        'a name of 255 characters',
      ),
  },
  {
    id: 'right-to-left-name',
    group: 'people',
    title: 'A name that is written from right to left is taken',
    why: 'Names come in any script.',
    change: `${columns} Put names into <bdi>, so that what stands beside them keeps its place.`,
    needs: 'login',
    run: (checkup) =>
      comesIn(
        checkup,
        {
          id: '770004',
          login: 'rtl.check',
          name: 'ליאורה بن داود',
          email: `rtl.${checkup.marker}@mail.example`,
        },
        'a name from right to left',
      ),
  },
  {
    id: 'name-is-escaped',
    group: 'people',
    title: 'A name that is HTML stays text',
    why: 'People choose their names. One that runs as a script acts in your site as whoever sees it.',
    change: 'Escape &, <, >, " and \' wherever a name, login or email is put into a page.',
    needs: 'login',
    async run(checkup) {
      const tag = `<b id="${checkup.marker}">`
      const person = { id: '770005', login: 'html.check', name: `${tag}"'&lt;`, email: '' }
      const visitor = await logIn(checkup, person)
      if ('status' in visitor) return visitor
      const { answer, text } = await look(checkup, visitor, person)
      if (answer.body.includes(tag))
        return failed(`the page at ${answer.url.pathname} holds the name as HTML`)
      if (!(await isLoggedIn({ ...checkup, signal: 'button' }, visitor, person)) && !text.includes(tag))
        return failed('a person with such a name is not logged in')
      return text.includes(tag) ? passed : skipped('the page does not show the name')
    },
  },
]
