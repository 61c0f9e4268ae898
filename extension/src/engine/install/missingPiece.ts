// What `engine install` needs from the machine and didn't find, with the command that brings it on each system. Thrown by
// the sources of the library; installEngine turns it into the message that the user reads.
const howToGet = {
  pip: {
    what: 'Python 3 with pip (or uv), to download TensorFlow',
    commands: {
      'Debian, Ubuntu': 'sudo apt install python3-pip',
      Fedora: 'sudo dnf install python3-pip',
      macOS: 'brew install python',
      Windows: 'winget install Python.Python.3.12',
    },
  },
  compiler: {
    what: 'a C++ compiler (g++ or clang++), to build the addon that joins Node and TensorFlow',
    commands: {
      'Debian, Ubuntu': 'sudo apt install g++',
      Fedora: 'sudo dnf install gcc-c++',
      macOS: 'xcode-select --install',
      Windows: 'wsl --install, then as on Ubuntu',
    },
  },
};

export type MissingPiece = keyof typeof howToGet;

export class MissingPieceError extends Error {
  constructor(readonly pieces: MissingPiece[]) {
    super(`missing: ${pieces.map(piece => howToGet[piece].what).join('; ')}`);
    this.name = 'MissingPieceError';
  }
}

/** One paragraph a piece: what it is for and how to get it on each system. */
export function describeMissingPieces(pieces: MissingPiece[]): string {
  return pieces
    .map(piece => {
      const { what, commands } = howToGet[piece];
      const lines = Object.entries(commands).map(([system, command]) => `    ${system.padEnd(15)} ${command}`);
      return [`Get ${what}:`, ...lines].join('\n');
    })
    .join('\n  ');
}
