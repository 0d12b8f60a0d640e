/*
 * What -fsanitize=undefined calls in the debug build (gcc 12, clang 14): says where and what, and
 * panics. The data each handler gets is laid down by the compilers; all but one begin with the
 * place in the source.
 */
#ifdef VITRINE_DEBUG

#include "lib/panic.h"
#include "lib/types.h"

struct ubsan_location {
	const char *file;
	u32 line;
	u32 column;
};

struct ubsan_type {
	u16 kind; /* 0: integer */
	u16 info; /* bit 0: signed; above: log2 of the width */
	char name[];
};

struct ubsan_type_mismatch {
	struct ubsan_location where;
	const struct ubsan_type *type;
	u8 log_alignment;
	u8 access; /* index into access_names */
};

struct ubsan_bounds {
	struct ubsan_location where;
	const struct ubsan_type *array;
	const struct ubsan_type *index;
};

struct ubsan_shift {
	struct ubsan_location where;
	const struct ubsan_type *left;
	const struct ubsan_type *right;
};

struct ubsan_overflow {
	struct ubsan_location where;
	const struct ubsan_type *type;
};

static const char *const access_names[] = {
	"load of",
	"store to",
	"reference to",
	"member access in",
	"member call on",
	"constructor call on",
	"downcast of",
	"downcast of",
	"upcast of",
	"cast to virtual base of",
	"nonnull binding to",
	"dynamic operation on",
};

#define FROM(loc) (loc)->file, (loc)->line, (loc)->column

/* Both forms of a handler: the compilers choose by -fsanitize-recover; here neither returns. */
#define UBSAN_HANDLER(handler, params, args, body)                                                               \
	noreturn void __ubsan_handle_##handler params;                                                           \
	noreturn void __ubsan_handle_##handler##_abort params;                                                   \
	noreturn void __ubsan_handle_##handler params body noreturn void __ubsan_handle_##handler##_abort params \
	{                                                                                                        \
		__ubsan_handle_##handler args;                                                                   \
	}

/* A handler whose operands add nothing. */
#define UBSAN_SIMPLE(handler, params, args, what) \
	UBSAN_HANDLER(handler, params, args, { panic("undefined behaviour: " what " at %s:%u:%u", FROM(where)); })

#define UBSAN_ARITHMETIC(handler, op)                                                                                  \
	UBSAN_HANDLER(handler, (const struct ubsan_overflow *data, u64 a, u64 b), (data, a, b), {                      \
		panic("undefined behaviour: overflow of 0x%lx " op " 0x%lx in %s at %s:%u:%u", a, b, data->type->name, \
			FROM(&data->where));                                                                           \
	})

#define WHERE   (const struct ubsan_location *where)
#define WHERE_1 (const struct ubsan_location *where, u64 a)
#define WHERE_2 (const struct ubsan_location *where, u64 a, u64 b)
#define WHERE_3 (const struct ubsan_location *where, u64 a, u64 b, u64 c)

UBSAN_ARITHMETIC(add_overflow, "+")
UBSAN_ARITHMETIC(sub_overflow, "-")
UBSAN_ARITHMETIC(mul_overflow, "*")
UBSAN_ARITHMETIC(divrem_overflow, "/")

UBSAN_HANDLER(negate_overflow, (const struct ubsan_overflow *data, u64 a), (data, a), {
	panic("undefined behaviour: negation of 0x%lx overflows %s at %s:%u:%u", a, data->type->name,
		FROM(&data->where));
})

UBSAN_HANDLER(shift_out_of_bounds, (const struct ubsan_shift *data, u64 a, u64 b), (data, a, b), {
	panic("undefined behaviour: 0x%lx of type %s shifted by %ld at %s:%u:%u", a, data->left->name, (long)b,
		FROM(&data->where));
})

UBSAN_HANDLER(out_of_bounds, (const struct ubsan_bounds *data, u64 index), (data, index), {
	panic("undefined behaviour: index %ld outside %s at %s:%u:%u", (long)index, data->array->name,
		FROM(&data->where));
})

UBSAN_HANDLER(type_mismatch_v1, (const struct ubsan_type_mismatch *data, u64 ptr), (data, ptr), {
	const char *access = data->access < ARRAY_SIZE(access_names) ? access_names[data->access] : "use of";
	u64 align = BIT(data->log_alignment & 63);
	const char *how = !ptr ? "null" : ptr & (align - 1) ? "misaligned" : "too small";

	panic("undefined behaviour: %s %s %s at 0x%lx at %s:%u:%u", access, how, data->type->name, ptr,
		FROM(&data->where));
})

UBSAN_HANDLER(nonnull_return_v1, (const void *data, const struct ubsan_location *where), (data, where),
	{ panic("undefined behaviour: null returned where nonnull was promised at %s:%u:%u", FROM(where)); })

UBSAN_HANDLER(nullability_return_v1, (const void *data, const struct ubsan_location *where), (data, where),
	{ panic("undefined behaviour: null returned where nonnull was promised at %s:%u:%u", FROM(where)); })

UBSAN_HANDLER(load_invalid_value, (const struct ubsan_overflow *data, u64 value), (data, value), {
	panic("undefined behaviour: 0x%lx is no value of %s at %s:%u:%u", value, data->type->name, FROM(&data->where));
})

UBSAN_HANDLER(pointer_overflow, (const struct ubsan_location *where, u64 base, u64 result), (where, base, result),
	{ panic("undefined behaviour: pointer 0x%lx moved to 0x%lx at %s:%u:%u", base, result, FROM(where)); })

UBSAN_SIMPLE(builtin_unreachable, WHERE, (where), "unreachable code reached")
UBSAN_SIMPLE(missing_return, WHERE, (where), "end of a non-void function reached")
UBSAN_SIMPLE(vla_bound_not_positive, WHERE_1, (where, a), "array length not positive")
UBSAN_SIMPLE(float_cast_overflow, WHERE_1, (where, a), "float conversion overflows")
UBSAN_SIMPLE(nonnull_arg, WHERE, (where), "null argument where nonnull was promised")
UBSAN_SIMPLE(nullability_arg, WHERE, (where), "null argument where nonnull was promised")
UBSAN_SIMPLE(invalid_builtin, WHERE, (where), "bit count of 0")
UBSAN_SIMPLE(function_type_mismatch, WHERE_1, (where, a), "call through a pointer of another function type")
UBSAN_SIMPLE(function_type_mismatch_v1, WHERE_3, (where, a, b, c), "call through a pointer of another function type")
UBSAN_SIMPLE(implicit_conversion, WHERE_2, (where, a, b), "implicit conversion changes the value")
UBSAN_SIMPLE(alignment_assumption, WHERE_3, (where, a, b, c), "alignment assumption is false")

#endif
