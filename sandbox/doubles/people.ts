import type { DoublePerson } from './double.ts'

/** The people that every sandbox knows; the key is the value of `sandbox_person`. */
export const people = {
  anna: {
    id: '1130000012345678',
    login: 'anna.demidova',
    name: 'Анна Демидова',
    email: 'anna@mail.example',
    emailVerified: true,
    sex: 'female',
    birthday: '1990-04-22',
    workspace: null,
    raw: {},
  },
  boris: {
    id: '734604429',
    login: 'boris',
    name: 'Boris Łukasz O’Neil 李',
    email: 'Boris.O+cinema@company.example',
    emailVerified: false,
    sex: 'male',
    birthday: '0000-12-23',
    workspace: 'company.example',
    raw: {},
  },
  phone: {
    id: '9007199254740993',
    login: 'uid-phone',
    name: '',
    email: null,
    emailVerified: false,
    sex: null,
    birthday: null,
    workspace: null,
    raw: {},
  },
} as const satisfies Record<string, DoublePerson>

/** The person of that key, if it is one. */
export function personByKey(key: string | null): DoublePerson | undefined {
  return key !== null && Object.hasOwn(people, key) ? people[key as keyof typeof people] : undefined
}
