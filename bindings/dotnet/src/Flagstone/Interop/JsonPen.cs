// Writes JSON values as UTF-8. Writer and buffer stay with the thread, so that what is written again and again allocates nothing.
using System;
using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Flagstone.Interop;

#pragma warning disable CA1001 // a writer without a stream has nothing to give back
internal sealed unsafe class JsonPen : IBufferWriter<byte>
#pragma warning restore CA1001
{
    private const int Least = 1024;

    /// <summary>A larger buffer does not stay.</summary>
    private const int Most = 1 << 16;

    [ThreadStatic]
    private static JsonPen? s_own;

    private readonly Utf8JsonWriter _writer;
    private byte[] _bytes = new byte[Least];
    private int _length;

    private JsonPen() => _writer = new Utf8JsonWriter(
        // No page of a browser is written.
        this, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });

    /// <summary>
    /// Lends a value as JSON text. False, with no text, when it cannot be written: its document is disposed of, a text in it is
    /// none, or it is nested deeper than anybody reads.
    /// </summary>
    /// <param name="value">The value: not undefined.</param>
    /// <param name="buffer">See <see cref="LentText.Of(string, byte*)"/>.</param>
    /// <param name="text">The text, to be given back.</param>
    internal static bool TryWrite(JsonElement value, byte* buffer, out NativeText text)
    {
        JsonPen pen = s_own ??= new JsonPen();
        try
        {
            value.WriteTo(pen._writer);
            pen._writer.Flush();
            text = LentText.Of(new ReadOnlySpan<byte>(pen._bytes, 0, pen._length), buffer);
            return true;
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            text = default;
            return false;
        }
        finally
        {
            pen.Clear();
        }
    }

    void IBufferWriter<byte>.Advance(int count) => _length += count;

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint)
    {
        int wanted = _length + Math.Max(sizeHint, 1);
        if (wanted > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(wanted, 2 * _bytes.Length));
        }
        return _bytes.AsMemory(_length);
    }

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint) => ((IBufferWriter<byte>)this).GetMemory(sizeHint).Span;

    private void Clear()
    {
        _writer.Reset(this);
        _length = 0;
        if (_bytes.Length > Most)
        {
            _bytes = new byte[Least];
        }
    }
}
