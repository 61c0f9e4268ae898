// The best approximation of a matrix by one of a given rank: its truncated singular value decomposition, in float64. Called by
// combineLora.ts. Decomposes the smaller Gram matrix, so the long side of a matrix costs only products.
import { EigenvalueDecomposition, Matrix, QrDecomposition } from 'ml-matrix';

/** M ≈ us · vh: `us` [out, k] has the singular values, the k rows of `vh` [k, in] are orthonormal (or 0 beyond M's rank). */
export interface TruncatedSvd {
  us: Matrix;
  vh: Matrix;
}

/** Of left [out, inner] · right [inner, in], without the product if `inner` is the smallest size. */
export function truncatedSvdOfProduct(left: Matrix, right: Matrix, rank: number): TruncatedSvd {
  if (right.rows >= Math.min(left.rows, right.columns)) return truncatedSvd(left.mmul(right), rank);
  const qr = new QrDecomposition(right.transpose());
  const { us, vh } = truncatedSvd(left.mmul(qr.upperTriangularMatrix.transpose()), rank);
  return { us, vh: vh.mmul(qr.orthogonalMatrix.transpose()) };
}

/** @param rank k is the smallest of it and the sizes of the matrix */
export function truncatedSvd(matrix: Matrix, rank: number): TruncatedSvd {
  if (matrix.rows >= matrix.columns) {
    const right = largestEigenvectors(matrix.transpose().mmul(matrix), rank);
    return { us: matrix.mmul(right), vh: right.transpose() };
  }
  const transposed = truncatedSvd(matrix.transpose(), rank);
  const [us, vh] = [transposed.vh.transpose(), transposed.us.transpose()];
  for (let i = 0; i < vh.rows; i++) {
    const singular = Math.sqrt(vh.getRow(i).reduce((sum, value) => sum + value * value, 0));
    us.mulColumn(i, singular);
    if (singular > 0) vh.mulRow(i, 1 / singular);
  }
  return { us, vh };
}

/** As columns, by descending eigenvalue. */
function largestEigenvectors(symmetric: Matrix, count: number): Matrix {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, i) => i).toSorted((i, j) => realEigenvalues[j]! - realEigenvalues[i]!);
  return eigenvectorMatrix.subMatrixColumn(order.slice(0, count));
}
