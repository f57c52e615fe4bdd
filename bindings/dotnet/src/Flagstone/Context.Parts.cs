// What a context says: its getters, read from the native context.
using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

public sealed unsafe partial class Context
{
    /// <summary>The key; empty for a multi-kind context, which has one per kind.</summary>
    public string Key => Text("key") ?? "";

    /// <summary>The kind; <see cref="ContextKind.Multi"/> for a multi-kind context.</summary>
    public ContextKind Kind => ContextKind.Of(Text("kind") ?? "");

    /// <summary>The built-in attribute <c>name</c>; null where there is none, and for a multi-kind context.</summary>
    public string? Name => Text("name");

    /// <summary>The built-in attribute <c>anonymous</c>; false for a multi-kind context.</summary>
    public bool Anonymous => Json("anonymous").ValueKind == JsonValueKind.True;

    /// <summary>Whether it joins contexts of different kinds.</summary>
    public bool Multiple => Kind == ContextKind.Multi;

    /// <summary>
    /// References of the attributes that events must not carry, in the order in which they were named; none for a multi-kind
    /// context.
    /// </summary>
    public IReadOnlyList<string> PrivateAttributes
    {
        get
        {
            List<string> references = [];
            foreach (JsonElement reference in Ask(PrivateAttributesOf, "").EnumerateArray())
            {
                references.Add(reference.GetString()!);
            }
            return references;
        }
    }

    /// <summary>The contexts that a multi-kind context joins, in the order of their kinds; none for another.</summary>
    public IReadOnlyList<Context> MultiKindContexts
    {
        get
        {
            List<Context> parts = [];
            if (Multiple)
            {
                foreach (JsonElement kind in Ask(KindsOf, "").EnumerateArray())
                {
                    parts.Add(Part(ContextKind.Of(kind.GetString()!))!);
                }
            }
            return parts;
        }
    }

    /// <summary>Value of an attribute, built-in ones included.</summary>
    /// <param name="reference">Its name, or a path such as <c>/address/street</c>.</param>
    /// <returns>The value; null where there is none. A multi-kind context has only its <c>kind</c>.</returns>
    /// <exception cref="ArgumentException">It is no reference.</exception>
    public JsonElement? GetValue(string reference)
    {
        JsonElement value = Json(reference ?? throw new ArgumentNullException(nameof(reference)));
        return value.ValueKind == JsonValueKind.Null ? null : value;
    }

    /// <summary>The context of one kind: this one, if it is of that kind, or the one that it joins.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="context">The context; null when there is none of that kind.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGetContextByKind(ContextKind kind, [NotNullWhen(true)] out Context? context)
    {
        context = Part(kind);
        return context is not null;
    }

    private Context? Part(ContextKind kind)
    {
        if (!Multiple)
        {
            return Kind == kind ? this : null;
        }
        if (_recipe is JoinedRecipe joined)
        {
            return joined.Contexts.Select(part => part.Part(kind)).FirstOrDefault(part => part is not null);
        }
        try
        {
            return kind == ContextKind.Multi ? null : From(new PartRecipe(this, kind));
        }
        catch (FlagstoneException error) when (error.StatusCode == NativeCodes.StatusNotFound)
        {
            return null;
        }
    }

    private string? Text(string reference) => Json(reference) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    private JsonElement Json(string reference) => Ask(ValueOf, reference);

    private JsonElement Ask(Question question, string reference)
    {
        byte[] bytes = Utf8.Encode(reference, nameof(reference));
        NativeBytes text = default;
        IntPtr error = IntPtr.Zero;
        byte none = 0;
        IntPtr native = Acquire();
        int status;
        fixed (byte* pointer = bytes)
        {
            status = question(native, new NativeText(pointer is null ? &none : pointer, (nuint)bytes.Length), &text, &error);
        }
        Leave();
        NativeResult.Check(status, error, nameof(reference));
        return JsonValue.Parse(NativeResult.TakeBytes(ref text));
    }

    private static int ValueOf(IntPtr native, NativeText reference, NativeBytes* text, IntPtr* error) =>
        NativeMethods.flagstone_context_get(native, default, reference, text, error);

    private static int PrivateAttributesOf(IntPtr native, NativeText reference, NativeBytes* text, IntPtr* error) =>
        NativeMethods.flagstone_context_private_attributes(native, default, text, error);

    private static int KindsOf(IntPtr native, NativeText reference, NativeBytes* text, IntPtr* error) =>
        NativeMethods.flagstone_context_kinds(native, text, error);

    private delegate int Question(IntPtr native, NativeText reference, NativeBytes* text, IntPtr* error);
}
