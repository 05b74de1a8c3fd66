import { EXIT, OperatorError } from '../cli/errors';

/** The folder is not what can be published. */
export class ModelFolderError extends OperatorError {
  readonly code = 'MODEL_FOLDER';
  readonly exitCode = EXIT.usage;
}

/** The object store did not take, or does not tell, what it should. */
export class ModelStoreError extends OperatorError {
  readonly code = 'MODEL_STORE';
  readonly exitCode = EXIT.unreachable;
}
