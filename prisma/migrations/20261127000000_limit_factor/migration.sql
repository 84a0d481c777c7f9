-- AlterTable
ALTER TABLE "sites" ADD COLUMN     "limit_factor" INTEGER NOT NULL DEFAULT 1;
