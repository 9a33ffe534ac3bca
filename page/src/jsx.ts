// SPDX-License-Identifier: Apache-2.0
// What JSX becomes in the bundle: calls of h are smaller than those of the JSX runtime the types speak of.
export { h as jsxElement, Fragment as jsxFragment } from 'preact';
