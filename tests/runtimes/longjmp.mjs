// Quick calls for the 32-bit MicroPython, which is WebAssembly that was compiled without exceptions of its own.
//
// There each call that may end in a longjmp, and so nearly every call of a function of Python, goes out to JavaScript, to one of
// the functions invoke_*, and comes back in: this takes half of the whole time. What they do is little. They catch the longjmp,
// put the stack back, and note it with setThrew. Here a small module of WebAssembly does the same, and a longjmp is an exception
// of WebAssembly. The interpreter itself is as it came.
//
// Sections, types and instructions: https://webassembly.github.io/spec/core/binary. try and catch are those that every node since
// version 17 knows.

const I32 = 0x7f;
const NO_RESULT = 0x40;
const FUNCTION = 0x60;
const FUNCREF = 0x70;
const [TYPES, FUNCTIONS, TABLES, EXPORTS, CODE, TAGS] = [1, 3, 4, 7, 10, 13]; // sections
const [OF_FUNCTION, OF_TABLE] = [0, 1]; // exports
const [TRY, CATCH, THROW, END] = [0x06, 0x07, 0x08, 0x0b]; // instructions
const [CALL, GET, SET, CONST] = [0x11, 0x20, 0x21, 0x41];
const [CALLED, HELPERS] = [0, 1]; // tables: what the interpreter calls by a number, and what else is called
const [GET_STACK, PUT_STACK, SET_THREW] = [0, 1, 2]; // in the second one
const HELPER_NAMES = ["emscripten_stack_get_current", "_emscripten_stack_restore", "setThrew"];
const HELPER_SIGNATURES = ["i", "vi", "vii"];
const LONGJMP = "_emscripten_throw_longjmp";

// Let WebAssembly.instantiate give quick calls to the interpreter.
export function quickenCalls() {
    const instantiate = WebAssembly.instantiate;
    WebAssembly.instantiate = async function (binary, imports) {
        const module = await WebAssembly.compile(binary);
        const names = WebAssembly.Module.imports(module).map((each) => each.name);
        const made = makeModule(names.filter((name) => /^invoke_[iv]i*$/.test(name)));
        if (!WebAssembly.validate(made)) {
            return { module, instance: await instantiate(module, imports) }; // slower, and the same
        }
        const quick = await instantiate(made);
        const { called, helpers, ...functions } = quick.instance.exports;
        const instance = await instantiate(module, { ...imports, env: { ...imports.env, ...functions } });
        const table = instance.exports.__indirect_function_table;
        called.grow(table.length);
        for (let at = 0; at < table.length; at++) {
            called.set(at, table.get(at));
        }
        HELPER_NAMES.forEach((name, at) => helpers.set(at, instance.exports[name]));
        return { module, instance };
    };
}

// Make the module with these functions, and one that makes a longjmp. The letters at the end of a name are the types of the result
// and of the arguments behind the number of what is called: i for an int, v for none.
function makeModule(names) {
    const called = names.map((name) => name.slice("invoke_".length));
    const own = called.map((letters) => `${letters}i`); // the number is one more argument
    const types = [...HELPER_SIGNATURES, "v", ...called, ...own];
    const [first, firstOwn] = [types.length - 2 * names.length, types.length - names.length];
    return new Uint8Array([
        ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic and version
        ...section(TYPES, types.map(makeType)),
        ...section(FUNCTIONS, [[first - 1], ...names.map((_, at) => [firstOwn + at])]),
        ...section(TABLES, [[FUNCREF, 0, 0], [FUNCREF, 0, HELPER_NAMES.length]]),
        ...section(TAGS, [[0, first - 1]]),
        ...section(EXPORTS, [
            ...[LONGJMP, ...names].map((name, at) => makeExport(name, OF_FUNCTION, at)),
            ...["called", "helpers"].map((name, at) => makeExport(name, OF_TABLE, at)),
        ]),
        ...section(CODE, [sized([0, THROW, 0, END]), ...called.map((letters, at) => sized(makeBody(letters, first + at)))]),
    ]);
}

// Make the body of a function with such letters, which calls a function of that type. It has one local int: the stack of before.
function makeBody(letters, type) {
    const count = letters.length; // of its arguments, and so the local int comes behind them
    const values = Array.from(letters.slice(1)).flatMap((_, at) => [GET, at + 1]);
    return [
        ...[1, 1, I32],
        ...[...helper(GET_STACK), SET, count],
        ...[TRY, resultOf(letters), ...values, GET, 0, CALL, type, CALLED],
        ...[CATCH, 0, GET, count, ...helper(PUT_STACK), CONST, 1, CONST, 0, ...helper(SET_THREW)],
        ...(letters[0] === "v" ? [] : [CONST, 0]),
        ...[END, END],
    ];
}

function helper(which) {
    return [CONST, which, CALL, which, HELPERS];
}

function resultOf(letters) {
    return letters[0] === "v" ? NO_RESULT : I32;
}

function makeType(letters) {
    return [FUNCTION, ...vector(Array.from(letters.slice(1), () => [I32])), ...vector(letters[0] === "v" ? [] : [[I32]])];
}

function makeExport(name, kind, at) {
    return [...sized(Array.from(new TextEncoder().encode(name))), kind, at];
}

function section(kind, items) {
    return [kind, ...sized(vector(items))];
}

function vector(items) {
    return [...number(items.length), ...items.flat()];
}

function sized(bytes) {
    return [...number(bytes.length), ...bytes];
}

// Numbers have seven bits in each byte, and the eighth in all but the last.
function number(value) {
    return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...number(value >> 7)];
}
