// Collects attributes on the managed side and hands them over in one go, so that a builder that is dropped leaves nothing behind.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Flagstone.Handles;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>
/// Collects the attributes of a single-kind context; every method but <see cref="Build"/> returns the builder. Belongs to one
/// thread at a time.
/// </summary>
public sealed class ContextBuilder
{
    private readonly Dictionary<string, Attribute> _attributes = new(StringComparer.Ordinal);
    private readonly List<string> _private = [];
    private ContextKind _kind;
    private string _key;

    internal ContextBuilder(ContextKind kind, string key)
    {
        _kind = kind;
        _key = key ?? throw new ArgumentNullException(nameof(key));
    }

    /// <summary>Sets the key.</summary>
    /// <param name="key">Not empty; checked by <see cref="Build"/>.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Key(string key)
    {
        _key = key ?? throw new ArgumentNullException(nameof(key));
        return this;
    }

    /// <summary>Sets the kind.</summary>
    /// <param name="kind">Checked by <see cref="Build"/>.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Kind(ContextKind kind)
    {
        _kind = kind;
        return this;
    }

    /// <summary>Sets the kind.</summary>
    /// <param name="kind">Checked by <see cref="Build"/>; empty is <c>user</c>.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Kind(string kind) => Kind(ContextKind.Of(kind));

    /// <summary>Sets the built-in attribute <c>name</c>.</summary>
    /// <param name="name">Null removes it.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Name(string? name) => Set("name", name);

    /// <summary>Sets the built-in attribute <c>anonymous</c>.</summary>
    /// <param name="anonymous">Whether the context is anonymous.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Anonymous(bool anonymous) => Set("anonymous", anonymous);

    /// <summary>Sets an attribute to a string.</summary>
    /// <param name="attribute">Name; <c>key</c>, <c>kind</c>, <c>name</c> and <c>anonymous</c> are the built-in ones.</param>
    /// <param name="value">Null removes the attribute.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The name cannot be set.</exception>
    public ContextBuilder Set(string attribute, string? value) =>
        Set(attribute, new Attribute(value is null ? NativeCodes.TypeNone : NativeCodes.TypeString, 0, value));

    /// <summary>Sets an attribute to a boolean.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, bool value) =>
        Set(attribute, new Attribute(NativeCodes.TypeBool, value ? 1 : 0, null));

    /// <summary>Sets an attribute to a number.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, int value) => Set(attribute, (double)value);

    /// <summary>Sets an attribute to a number; all numbers are doubles.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, long value) => Set(attribute, (double)value);

    /// <summary>Sets an attribute to a number: finite, checked by <see cref="Build"/>.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, double value) =>
        Set(attribute, new Attribute(NativeCodes.TypeNumber, value, null));

    /// <summary>Sets an attribute to any JSON value; null removes it.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public ContextBuilder Set(string attribute, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Undefined => throw new ArgumentException("the value is undefined", nameof(value)),
        JsonValueKind.Null => Set(attribute, (string?)null),
        JsonValueKind.String => Set(attribute, value.GetString()),
        _ => Set(attribute, new Attribute(NativeCodes.TypeJson, 0, value.GetRawText())),
    };

    /// <summary>Marks attributes as private.</summary>
    /// <param name="references">Names, or paths such as <c>/address/street</c>.</param>
    /// <returns>This builder.</returns>
    public ContextBuilder Private(params string[] references)
    {
        foreach (string reference in references ?? throw new ArgumentNullException(nameof(references)))
        {
            _private.Add(reference ?? throw new ArgumentNullException(nameof(references)));
        }
        return this;
    }

    /// <summary>Makes the context. The builder stays as it is and may build again.</summary>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">
    /// The key is empty, the kind is not allowed, a built-in attribute has a wrong type, a number is not finite, or a text is no
    /// UTF-16; the message names it.
    /// </exception>
    [SkipLocalsInit]
    public unsafe Context Build()
    {
        NativeLoader.EnsureLoaded();
        Span<byte> kindBuffer = stackalloc byte[Utf8.NameCapacity];
        Span<byte> keyBuffer = stackalloc byte[Utf8.KeyCapacity];
        ReadOnlySpan<byte> kind = Utf8.Encode(_kind.Value, kindBuffer, "kind");
        ReadOnlySpan<byte> key = Utf8.Encode(_key, keyBuffer, "key");
        IntPtr native;
        fixed (byte* kindPointer = kind, keyPointer = key)
        {
            native = NativeMethods.flagstone_context_builder_new(
                new NativeText(kindPointer, (nuint)kind.Length), new NativeText(keyPointer, (nuint)key.Length));
        }
        using ContextBuilderHandle builder = new(native);
        foreach (KeyValuePair<string, Attribute> attribute in _attributes)
        {
            Hand(native, attribute.Key, attribute.Value);
        }
        foreach (string reference in _private)
        {
            HandPrivate(native, reference);
        }
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        int status = NativeMethods.flagstone_context_builder_build(native, &made, &error);
        NativeResult.Check(status, error);
        return new Context(made);
    }

    [SkipLocalsInit]
    private static unsafe void Hand(IntPtr builder, string name, Attribute attribute)
    {
        Span<byte> nameBuffer = stackalloc byte[Utf8.NameCapacity];
        Span<byte> textBuffer = stackalloc byte[Utf8.KeyCapacity];
        ReadOnlySpan<byte> nameBytes = Utf8.Encode(name, nameBuffer, name);
        ReadOnlySpan<byte> text = attribute.Text is null ? [] : Utf8.Encode(attribute.Text, textBuffer, name);
        IntPtr error = IntPtr.Zero;
        fixed (byte* namePointer = nameBytes, textPointer = text)
        {
            NativeAttribute native = new()
            {
                name = new NativeText(namePointer, (nuint)nameBytes.Length),
                type = attribute.Type,
                number = attribute.Number,
                text = new NativeText(textPointer, (nuint)text.Length),
            };
            NativeResult.Check(NativeMethods.flagstone_context_builder_set(builder, &native, &error), error, name);
        }
    }

    private static unsafe void HandPrivate(IntPtr builder, string reference)
    {
        byte[] bytes = Utf8.Encode(reference, "references");
        IntPtr error = IntPtr.Zero;
        fixed (byte* pointer = bytes)
        {
            NativeText text = new(pointer, (nuint)bytes.Length);
            NativeResult.Check(NativeMethods.flagstone_context_builder_set_private(builder, text, &error), error, reference);
        }
    }

    private ContextBuilder Set(string attribute, Attribute value)
    {
        switch (attribute ?? throw new ArgumentNullException(nameof(attribute)))
        {
            case "key" when value.Type == NativeCodes.TypeString:
                return Key(value.Text!);
            case "kind" when value.Type == NativeCodes.TypeString:
                return Kind(value.Text!);
            case "key" or "kind":
                throw new ArgumentException($"{attribute} must be a string", nameof(attribute));
            case "_meta":
                throw new ArgumentException("_meta is no name for an attribute; see Private", nameof(attribute));
            default:
                _attributes[attribute] = value;
                return this;
        }
    }

    private readonly struct Attribute(int type, double number, string? text)
    {
        internal int Type { get; } = type;

        internal double Number { get; } = number;

        internal string? Text { get; } = text;
    }
}
