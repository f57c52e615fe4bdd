// Kind, key and attributes of one kind of context, handed over in one native call. A builder collects them here, so that what
// it has collected is copied to nobody: the first five attributes lie in the object itself.
using System;
using System.Buffers;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using Flagstone.Interop;

namespace Flagstone;

internal sealed class AttributesRecipe(ContextKind kind, string key) : Recipe
{
    private const int Inline = 5;

    /// <summary>Of the text of all attributes, and of the attributes themselves: what fits the stack.</summary>
    private const int TextOnStack = 1024;
    private const int CountOnStack = 16;

    /// <summary>Of the text of all attributes: no array can be longer.</summary>
    private const int MaxText = 0x7FFFFFC7;

#if NET8_0_OR_GREATER
    private InlineAttributes _inline;
#else
    private readonly Attribute[] _inline = new Attribute[Inline];
#endif

    /// <summary>All attributes, when they are more than fit the object.</summary>
    private Attribute[]? _more;
    private List<string>? _private;
    private int _count;

    internal ContextKind Kind { get; set; } = kind;

    internal string Key { get; set; } = key;

    /// <summary>Whether a context has it, so that it must not be changed any more.</summary>
    internal bool IsGiven { get; set; }

    private Span<Attribute> Slots => _more is null ? _inline : _more;

    /// <summary>The same, for a builder to change.</summary>
    internal AttributesRecipe Copy()
    {
        AttributesRecipe copy = new(Kind, Key) { _private = _private is null ? null : [.. _private] };
        foreach (Attribute attribute in Slots.Slice(0, _count))
        {
            copy.Add(attribute.Name, attribute.Value);
        }
        return copy;
    }

    /// <summary>Adds an attribute; of those with one name the last counts.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">A string, a boxed bool or double, a <see cref="JsonAttribute"/>, or null.</param>
    internal void Add(string name, object? value)
    {
        if (_count == Slots.Length)
        {
            MakeRoom();
        }
        Slots[_count++] = new Attribute(name, value);
    }

    internal void AddPrivate(string reference) => (_private ??= []).Add(reference);

    [SkipLocalsInit]
    internal override unsafe IntPtr Make()
    {
        NativeLoader.EnsureLoaded();
        long most = (long)(Kind.Value.Length + Key.Length) * Utf8.MaxBytesPerChar;
        foreach (Attribute attribute in Slots.Slice(0, _count))
        {
            most += (long)(attribute.Name.Length + attribute.Text.Length) * Utf8.MaxBytesPerChar;
        }
        if (most <= TextOnStack && _count <= CountOnStack)
        {
            byte* text = stackalloc byte[TextOnStack];
            NativeAttribute* attributes = stackalloc NativeAttribute[CountOnStack];
            return Make(new Utf8Pen(text, TextOnStack), attributes);
        }
        long length = Length();
        if (length > MaxText)
        {
            throw new ArgumentException($"the attributes are longer than {MaxText} bytes");
        }
        byte[] rented = ArrayPool<byte>.Shared.Rent((int)length);
        NativeAttribute[] natives = new NativeAttribute[Math.Max(_count, 1)];
        try
        {
            fixed (byte* text = rented)
            fixed (NativeAttribute* attributes = natives)
            {
                return Make(new Utf8Pen(text, rented.Length), attributes);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private unsafe IntPtr Make(Utf8Pen pen, NativeAttribute* natives)
    {
        NativeText nativeKind = pen.Write(Kind.Value, "kind");
        NativeText nativeKey = pen.Write(Key, "key");
        int index = 0;
        foreach (Attribute attribute in Slots.Slice(0, _count))
        {
            NativeAttribute* native = natives + index++;
            native->name = pen.Write(attribute.Name, attribute.Name);
            native->flags = 0;
            native->number = 0;
            native->text = default;
            switch (attribute.Value)
            {
                case string text:
                    native->type = NativeCodes.TypeString;
                    native->text = pen.Write(text, attribute.Name);
                    break;
                case double number:
                    native->type = NativeCodes.TypeNumber;
                    native->number = number;
                    break;
                case bool truth:
                    native->type = NativeCodes.TypeBool;
                    native->number = truth ? 1 : 0;
                    break;
                case JsonAttribute json:
                    native->type = NativeCodes.TypeJson;
                    native->text = pen.Write(json.Text, attribute.Name);
                    break;
                default:
                    native->type = NativeCodes.TypeNone;
                    break;
            }
        }
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        if (_private is null)
        {
            NativeResult.Check(
                NativeMethods.flagstone_context_from_attrs(nativeKind, nativeKey, natives, (nuint)_count, &made, &error), error);
            return made;
        }
        IntPtr builder = NativeMethods.flagstone_context_builder_new(nativeKind, nativeKey);
        try
        {
            for (index = 0; index < _count; index++)
            {
                NativeResult.Check(NativeMethods.flagstone_context_builder_set(builder, natives + index, &error), error);
            }
            foreach (string reference in _private)
            {
                MarkPrivate(builder, reference);
            }
            NativeResult.Check(NativeMethods.flagstone_context_builder_build(builder, &made, &error), error);
            return made;
        }
        finally
        {
            NativeMethods.flagstone_context_builder_free(builder);
        }
    }

    private static unsafe void MarkPrivate(IntPtr builder, string reference)
    {
        byte[] bytes = Utf8.Encode(reference, argument: null, what: "a private reference");
        IntPtr error = IntPtr.Zero;
        fixed (byte* pointer = bytes)
        {
            NativeText text = new(pointer, (nuint)bytes.Length);
            NativeResult.Check(NativeMethods.flagstone_context_builder_set_private(builder, text, &error), error);
        }
    }

    /// <summary>Bytes of all text in UTF-8.</summary>
    private long Length()
    {
        long length = Utf8.Length(Kind.Value) + Utf8.Length(Key);
        foreach (Attribute attribute in Slots.Slice(0, _count))
        {
            length += Utf8.Length(attribute.Name) + Utf8.Length(attribute.Text);
        }
        return length;
    }

    /// <summary>
    /// Drops what a later attribute of the same name has replaced, and takes twice the room where that is not half of it.
    /// </summary>
    private void MakeRoom()
    {
        Span<Attribute> slots = Slots;
        HashSet<string> names = new(StringComparer.Ordinal);
        List<Attribute> kept = new(slots.Length);
        for (int index = slots.Length - 1; index >= 0; index--)
        {
            if (names.Add(slots[index].Name))
            {
                kept.Add(slots[index]);
            }
        }
        kept.Reverse();
        slots.Clear();
        if (kept.Count > slots.Length / 2)
        {
            _more = new Attribute[slots.Length * 2];
        }
        _count = kept.Count;
        kept.ToArray().CopyTo(Slots);
    }

    private readonly struct Attribute(string name, object? value)
    {
        internal string Name { get; } = name;

        internal object? Value { get; } = value;

        internal string Text => Value as string ?? (Value as JsonAttribute)?.Text ?? "";
    }

#if NET8_0_OR_GREATER
    [InlineArray(Inline)]
    private struct InlineAttributes
    {
        private Attribute _first;
    }
#endif
}

/// <summary>A value that is an array or an object, as JSON text.</summary>
internal sealed class JsonAttribute(string text)
{
    internal string Text { get; } = text;
}
