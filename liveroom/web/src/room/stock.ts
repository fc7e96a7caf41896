/** What a product's stock means to a buyer: a number only where it creates hurry. */

import type { Product } from '@sdk'

/** From this stock on a number creates no hurry. */
export const SCARCE = 50

export function isSoldOut(product: Product): boolean {
  return product.stock === 0
}

export function isScarce(product: Product): boolean {
  return typeof product.stock === 'number' && product.stock > 0 && product.stock <= SCARCE
}

/** The key of the sentence, which takes the stock as `n`. */
export function stockKey(product: Product): string {
  return isSoldOut(product) ? 'shop.sold' : isScarce(product) ? 'shop.stock' : 'shop.plenty'
}
