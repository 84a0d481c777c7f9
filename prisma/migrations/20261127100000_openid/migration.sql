-- AlterTable
ALTER TABLE "sessions" ADD COLUMN     "scope" TEXT;

-- AlterTable
ALTER TABLE "sites" ADD COLUMN     "id_token_alg" TEXT NOT NULL DEFAULT 'RS256',
ADD COLUMN     "native" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "post_logout_redirect_urls" TEXT[] DEFAULT ARRAY[]::TEXT[];
