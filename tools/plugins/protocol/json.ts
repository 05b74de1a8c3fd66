/** What an API is sent and answers. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly (Json | undefined)[]
  | { readonly [key: string]: Json | undefined };
export type JsonMap = Readonly<Record<string, Json | undefined>>;
