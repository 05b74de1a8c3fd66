/** Fixed for every server that the bench starts; nothing but the bench's own networks reaches them. */
export const API_KEY = 'bench-qdrant-key';
export const STORE = {
  port: 7070,
  region: 'us-east-1',
  accessKey: 'bench-access',
  secretKey: 'bench-secret-0123456789',
} as const;
