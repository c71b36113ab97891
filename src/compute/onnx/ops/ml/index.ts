/** The operators of ONNX's domain for classical models, ai.onnx.ml, as skl2onnx, XGBoost and LightGBM exports use them. */
import type { Lowering } from '../../lowering.ts'
import { labelEncoder, oneHotEncoder } from './encoders.ts'
import { arrayFeatureExtractor, binarizer, featureVectorizer, imputer, normalizer, scaler, zipMap } from './features.ts'
import { linearClassifier, linearRegressor } from './linear.ts'
import { svmClassifier, svmRegressor } from './svm.ts'
import { treeEnsemble, treeEnsembleClassifier, treeEnsembleRegressor } from './trees.ts'

export const mlLowerings: ReadonlyMap<string, Lowering> = new Map([
  ['ArrayFeatureExtractor', arrayFeatureExtractor],
  ['Binarizer', binarizer],
  ['FeatureVectorizer', featureVectorizer],
  ['Imputer', imputer],
  ['LabelEncoder', labelEncoder],
  ['LinearClassifier', linearClassifier],
  ['LinearRegressor', linearRegressor],
  ['Normalizer', normalizer],
  ['OneHotEncoder', oneHotEncoder],
  ['SVMClassifier', svmClassifier],
  ['SVMRegressor', svmRegressor],
  ['Scaler', scaler],
  ['TreeEnsemble', treeEnsemble],
  ['TreeEnsembleClassifier', treeEnsembleClassifier],
  ['TreeEnsembleRegressor', treeEnsembleRegressor],
  ['ZipMap', zipMap],
])
