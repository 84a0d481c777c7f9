/** A person with an account at every provider. */
export interface DoublePerson {
  /** Digits, as at all three providers. `raw` can make it a number or remove it. */
  readonly id: string
  readonly login: string
  readonly name: string
  /** null: an account created by phone or through a social network. */
  readonly email: string | null
  /** Only Google's double sends it. */
  readonly emailVerified: boolean
  readonly sex: 'female' | 'male' | null
  /** YYYY-MM-DD with zeros for unknown parts, as Yandex sends it. */
  readonly birthday: string | null
  /** Google Workspace's domain (`hd`). */
  readonly workspace: string | null
  /**
   * Fields of the userinfo response. Each replaces the provider's own of that name; `undefined` removes it, a bigint is
   * sent as a number of any length.
   */
  readonly raw: Readonly<Record<string, unknown>>
}

/** The people of the sandbox. The key is the value of `sandbox_person`. */
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

/** The person with this key, if there is one. */
export function personByKey(key: string | null): DoublePerson | undefined {
  return key !== null && Object.hasOwn(people, key) ? people[key as keyof typeof people] : undefined
}
